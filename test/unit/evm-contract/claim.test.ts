import {
  type Hex,
  hashTypedData,
  keccak256,
  parseSignature,
  serializeCompactSignature,
  serializeSignature,
  signatureToCompactSignature,
} from 'viem'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { ChannelsChain, DAY_S, GAS, voucherTypedData } from './channels-chain.ts'

const CURVE_ORDER = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141n

describe('SettlementChannels: claim', () => {
  let chain: ChannelsChain
  beforeAll(async () => {
    chain = await ChannelsChain.start()
  })
  afterAll(async () => {
    await chain?.stop()
  })

  const asStranger = () => ({ account: chain.stranger.address, gas: GAS })

  it('has the EIP-712 digest that wallets make', async () => {
    const id = keccak256('0x05')
    for (const cumulative of [0n, 1n, 10n ** 18n, 2n ** 256n - 1n]) {
      const expected = hashTypedData(voucherTypedData(chain.channels.address, id, cumulative))
      expect(await chain.channels.read.voucherDigest([id, cumulative])).toBe(expected)
    }
    const [fields, name, version, chainId, contract] = await chain.channels.read.eip712Domain()
    expect([fields, name, version, chainId, contract]).toEqual([
      '0x0f',
      'Causeway Settlement Channels',
      '1',
      31_337n,
      chain.channels.address,
    ])
  })

  it('pays the payee what is new, whoever hands the voucher in', async () => {
    const id = await chain.open(1_000n)
    const before = await chain.balance(chain.payee.address)
    const first = await chain.claim(id, 300n)
    expect(chain.events(first)).toEqual([
      {
        eventName: 'Claimed',
        args: { id, payee: chain.payee.address, cumulative: 300n, claimed: 300n, amount: 300n },
      },
    ])
    const second = await chain.claim(id, 450n)
    expect(chain.events(second)[0]?.args).toMatchObject({ claimed: 450n, amount: 150n })
    expect(await chain.balance(chain.payee.address)).toBe(before + 450n)
    expect((await chain.channels.read.channelOf([id])).claimed).toBe(450n)
  })

  it('pays nothing for an old voucher, without an error', async () => {
    const id = await chain.open(1_000n)
    await chain.claim(id, 400n)
    for (const cumulative of [400n, 399n, 0n]) {
      const receipt = await chain.claim(id, cumulative)
      expect(receipt.logs).toEqual([])
    }
    expect((await chain.channels.read.channelOf([id])).claimed).toBe(400n)
  })

  it('pays no more than the deposit, and the remainder after a top-up', async () => {
    const id = await chain.open(100n)
    expect(await chain.channels.read.claimable([id, 250n])).toBe(100n)
    const capped = await chain.claim(id, 250n)
    expect(chain.events(capped)[0]?.args).toMatchObject({ cumulative: 250n, claimed: 100n, amount: 100n })
    expect((await chain.claim(id, 250n)).logs).toEqual([])
    await chain.mined(chain.channels.write.fund([id, 500n], { ...asStranger(), value: 500n }))
    expect(await chain.channels.read.claimable([id, 250n])).toBe(150n)
    const rest = await chain.claim(id, 250n)
    expect(chain.events(rest)[0]?.args).toMatchObject({ claimed: 250n, amount: 150n })
    const huge = await chain.claim(id, 2n ** 256n - 1n)
    expect(chain.events(huge)[0]?.args).toMatchObject({ claimed: 600n, amount: 350n })
  })

  it('takes 64-byte signatures', async () => {
    const id = await chain.open(10n)
    const compact = serializeCompactSignature(
      signatureToCompactSignature(parseSignature(await chain.voucher(id, 4n))),
    )
    await chain.mined(chain.channels.write.claim([id, 4n, compact], asStranger()))
    expect((await chain.channels.read.channelOf([id])).claimed).toBe(4n)
  })

  it('refuses vouchers of another chain, contract, channel, figure or key', async () => {
    const { channels, signer } = chain
    const id = await chain.open(1_000n)
    const other = await chain.open(1_000n)
    const foreign = (await chain.another()).address
    const signatures: Record<string, Hex> = {
      chain: await signer.signTypedData(voucherTypedData(channels.address, id, 9n, 1)),
      contract: await signer.signTypedData(voucherTypedData(foreign, id, 9n)),
      channel: await chain.voucher(other, 9n),
      figure: await chain.voucher(id, 8n),
      key: await chain.voucher(id, 9n, chain.payer),
    }
    for (const [what, signature] of Object.entries(signatures)) {
      const refusal = await chain.refusal(channels.simulate.claim([id, 9n, signature], asStranger()))
      expect(refusal, what).toBe('BadVoucher')
    }
  })

  it('refuses signatures that are malformed or not in canonical form', async () => {
    const { channels } = chain
    const id = await chain.open(1_000n)
    const good = await chain.voucher(id, 9n)
    const { r, s, yParity } = parseSignature(good)
    const high = CURVE_ORDER - BigInt(s)
    const signatures: Record<string, Hex> = {
      'high s': serializeSignature({
        r,
        s: `0x${high.toString(16).padStart(64, '0')}`,
        yParity: 1 - yParity,
      }),
      empty: '0x',
      short: good.slice(0, -4) as Hex,
      long: `${good}00`,
      zero: `0x${'00'.repeat(65)}`,
      'odd v': `${good.slice(0, -2)}1d` as Hex,
      'v of 0 or 1': `${good.slice(0, -2)}0${yParity}` as Hex,
    }
    for (const [what, signature] of Object.entries(signatures)) {
      const refusal = await chain.refusal(channels.simulate.claim([id, 9n, signature], asStranger()))
      expect(refusal, what).toBe('BadVoucher')
    }
    await chain.mined(channels.write.claim([id, 9n, good], asStranger()))
  })

  it('never asks code about a signature, not even when the key has code', async () => {
    const signer = await chain.deploy('WillingSigner')
    const id = await chain.open(10n, { signer })
    const signature = await chain.voucher(id, 5n)
    expect(await chain.refusal(chain.channels.simulate.claim([id, 5n, signature], asStranger()))).toBe(
      'BadVoucher',
    )
    // A key that is given code later (EIP-7702) cannot take its vouchers back.
    const kept = await chain.open(10n)
    const code = await chain.client.getCode({ address: await chain.deploy('HostileReceiver') })
    await chain.client.setCode({ address: chain.signer.address, bytecode: code! })
    await chain.claim(kept, 5n)
    await chain.client.setCode({ address: chain.signer.address, bytecode: '0x' })
    expect((await chain.channels.read.channelOf([kept])).claimed).toBe(5n)
  })

  it('refuses a channel that never was', async () => {
    const id = keccak256('0x06')
    const signature = await chain.voucher(id, 1n)
    const refusal = await chain.refusal(chain.channels.simulate.claim([id, 1n, signature], asStranger()))
    expect(refusal).toBe('ChannelNotOpen')
    expect(await chain.channels.read.claimable([id, 1n])).toBe(0n)
    expect(await chain.channels.read.stateOf([id])).toBe(0)
  })

  it('pays late claims: in the close window, and after it until the payer withdraws', async () => {
    const id = await chain.open(100n)
    await chain.mined(chain.channels.write.requestClose([id], { account: chain.payer.address, gas: GAS }))
    expect(chain.events(await chain.claim(id, 10n))).toHaveLength(1)
    await chain.pass(2 * DAY_S)
    const receipt = await chain.claim(id, 30n)
    expect(chain.events(receipt)[0]?.args).toMatchObject({ amount: 20n })
    const closing = await chain.mined(chain.channels.write.withdraw([id], asStranger()))
    expect(chain.events(closing)[0]?.args).toMatchObject({ claimed: 30n, rest: 70n })
  })
})

import { rmSync } from 'node:fs'
import { decodeFunctionData, encodeAbiParameters, type Hex, keccak256, toHex } from 'viem'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { settlementChannelsAbi } from '../../../settlement-engines/evm/contract/settlement-channels-abi.ts'
import {
  authorizedTransferData,
  orderNonce,
  SIGNED_TOKEN_ABI,
  signAuthorization,
} from '../../../settlement-engines/evm/engine/token-signatures.ts'
import { SigningKey } from '../../../settlement-engines/evm/signing-key.ts'
import { ANVIL_KEYS } from '../../support/anvil.ts'
import { EngineChain, EnginePair, RICH } from './engine-pair.ts'

const BOUNDS = {
  deposit: '1000',
  maxDepositPerChannel: '5000',
  totalBudget: '10000',
  claimAtValue: '1000000',
}

let chain: EngineChain
let pair: EnginePair | undefined

beforeAll(async () => {
  chain = await EngineChain.start()
})
afterEach(async () => {
  await pair?.stop()
  pair = undefined
})
afterAll(async () => {
  await chain?.anvil.stop()
})

/** Two engines over a token, its deposits by channel, or its transfers. */
async function start(token: Hex, isTransfer = false): Promise<EnginePair> {
  const assets = { USD: { token, ...BOUNDS } }
  const change = { assets, acceptTransfers: true }
  return await EnginePair.start(chain, { payer: change, payee: change, asset: 'USD', isTransfer })
}

/** What the payer has sent since, by the functions' names. */
async function sentSince(nonce: number): Promise<string[]> {
  const { anvil } = chain
  const names: string[] = []
  for (let next = nonce; next < (await anvil.transactionCount(pair!.payer.address)); next++) {
    const { input: data } = await anvil.rpc<{ input: Hex }>(
      'eth_getTransactionBySenderAndNonce',
      pair!.payer.address,
      `0x${next.toString(16)}`,
    )
    const abi = [...settlementChannelsAbi, ...SIGNED_TOKEN_ABI]
    try {
      names.push(decodeFunctionData({ abi, data }).functionName)
    } catch {
      names.push(data.slice(0, 10))
    }
  }
  return names
}

function openChannels() {
  return pair!.payer.engine.channels().filter(({ state }) => state === 'open')
}

async function settled(id: string, amount: bigint): Promise<void> {
  await pair!.payer.settle(id, amount)
  await pair!.until(`${id} settled`, () => pair!.payer.ends.get(id) === 'settled')
}

describe('deposits by signature', () => {
  it.each([
    ['AuthorizationToken', ['Authorized', 'AUT', 6], ['openWithAuthorization', 'fundWithAuthorization']],
    ['TestToken', ['Permitted', 'PMT', 6], ['openWithPermit', 'fundWithPermit']],
    ['HookToken', [], ['0x095ea7b3', 'open', '0x095ea7b3', 'fund']],
  ] as const)(
    'take one transaction where %s allows it',
    async (name, args, expected) => {
      const token = await chain.deployToken(name, [...args])
      pair = await start(token)
      await chain.mint(pair.payer.address, 10_000n, token)
      const before = await chain.anvil.transactionCount(pair.payer.address)
      await settled('a', 600n)
      await settled('b', 700n)
      expect(await sentSince(before)).toEqual(expected)
      expect(pair.payee.creditedSum).toBe(1_300n)
      const held = await chain.tokenBalance(chain.contract, token)
      expect(held).toBe(pair.payer.engine.channels()[0]!.deposit)
    },
    60_000,
  )

  it('by authorization are under way together, as far as the money goes', async () => {
    const token = await chain.deployToken('AuthorizationToken', ['Authorized', 'AUT', 6])
    pair = await start(token)
    const { address, alarms, engine } = pair.payer
    await chain.mint(address, 2_500n, token)
    await chain.anvil.drain()
    const before = await chain.anvil.transactionCount(address)
    await chain.anvil.setAutomine(false)
    try {
      for (let count = 0; count < 4; count++) await engine.operations.open('peer', 1_000n)
      for (let round = 0; round < 4; round++) await engine.tick()
      expect(await chain.anvil.transactionCount(address, 'pending')).toBe(before + 2)
    } finally {
      await chain.anvil.setAutomine(true)
      await chain.anvil.mine(1)
    }
    await pair.until('two are open', () => openChannels().length === 2)
    await chain.mint(address, 1_500n, token)
    await pair.until('all are open', () => openChannels().length === 4)
    expect(await sentSince(before)).not.toContain('fund')
    expect(await chain.tokenBalance(address, token)).toBe(0n)
    expect(openChannels().map(({ deposit }) => deposit)).toEqual([1_000n, 1_000n, 1_000n, 1_000n])
    expect(alarms).not.toContain('deposit-failed')
  }, 60_000)

  it('by allowance go one after the other', async () => {
    const token = await chain.deployToken('HookToken')
    pair = await start(token)
    await chain.mint(pair.payer.address, 3_000n, token)
    const before = await chain.anvil.transactionCount(pair.payer.address)
    for (let count = 0; count < 3; count++) await pair.payer.engine.operations.open('peer', 1_000n)
    await pair.until('all are open', () => openChannels().length === 3)
    const one = ['0x095ea7b3', 'open']
    expect(await sentSince(before)).toEqual([...one, ...one, ...one])
  }, 60_000)

  it('go by allowance when the token does not take the signature after all', async () => {
    const token = await chain.deployToken('AuthorizationToken', ['Authorized', 'AUT', 6])
    pair = await start(token)
    const before = await chain.anvil.transactionCount(pair.payer.address)
    // Nothing is there to be deposited: no signature would help.
    await pair.payer.settle('a', 900n)
    await pair.until('an allowance', async () => (await sentSince(before)).length === 1)
    await chain.mint(pair.payer.address, 10_000n, token)
    await pair.until('a settled', () => pair!.payer.ends.get('a') === 'settled')
    expect(await sentSince(before)).toEqual(['0x095ea7b3', 'open'])
  }, 60_000)
})

describe('a signed deposit that could not be sent in its day', () => {
  it('is given up, and made anew', async () => {
    const token = await chain.deployToken('AuthorizationToken', ['Authorized', 'AUT', 6])
    pair = await start(token)
    const { payer } = pair
    await chain.mint(payer.address, 5_000n, token)
    await chain.anvil.drain()
    const before = await chain.anvil.transactionCount(payer.address)
    // Its money is gone between the try and the transaction: balances are the token's first variable.
    const slot = keccak256(
      encodeAbiParameters([{ type: 'address' }, { type: 'uint256' }], [payer.address, 0n]),
    )
    const setBalance = async (amount: bigint) =>
      await chain.anvil.rpc('anvil_setStorageAt', token, slot, toHex(amount, { size: 32 }))
    await payer.settle('a', 100n)
    await pair.until('signed', async () => {
      if (payer.engine.channels().length === 0) return false
      await setBalance(5_000n)
      await payer.engine.tick()
      await setBalance(0n)
      return true
    })
    for (let round = 0; round < 4; round++) await pair.advance()
    expect(payer.engine.channels()).toMatchObject([{ state: 'opening' }])
    expect(payer.alarms).not.toContain('deposit-failed')
    payer.aheadMs = 86_400_000
    await pair.until('given up', () => payer.engine.channels()[0]!.state === 'closed')
    expect(payer.alarms).toContain('deposit-failed')
    await setBalance(5_000n)
    payer.aheadMs = 86_500_000
    await pair.until('a settled', () => payer.ends.get('a') === 'settled')
    expect(payer.engine.channels().map(({ state }) => state)).toEqual(['closed', 'open'])
    expect(pair.payee.creditedSum).toBe(100n)
    expect(await sentSince(before)).toEqual(['openWithAuthorization'])
  }, 60_000)
})

describe('transfers of a token with authorizations', () => {
  let token: Hex

  beforeAll(async () => {
    token = await chain.deployToken('AuthorizationToken', ['Authorized', 'AUT', 6])
  })

  it('are carried out by authorization, and credited', async () => {
    pair = await start(token, true)
    await chain.mint(pair.payer.address, 10_000n, token)
    const before = await chain.anvil.transactionCount(pair.payer.address)
    await settled('once-1', 70n)
    await pair.until('credited', () => pair!.payee.creditedSum === 70n)
    expect(await sentSince(before)).toEqual(['transferWithAuthorization'])
  }, 60_000)

  it('are paid once by an engine that has lost its books', async () => {
    pair = await start(token, true)
    await chain.mint(pair.payer.address, 10_000n, token)
    await settled('once-2', 80n)
    await pair.until('credited', () => pair!.payee.creditedSum === 80n)
    const before = await chain.anvil.transactionCount(pair.payer.address)
    const { directory } = pair.payer.options
    await pair.payer.engine.stop()
    rmSync(directory, { recursive: true })
    await pair.payer.open('USD')
    pair.payer.ends.clear()
    await settled('once-2', 80n)
    await pair.advance()
    expect(await chain.anvil.transactionCount(pair.payer.address)).toBe(before)
    expect(pair.payee.creditedSum).toBe(80n)
  }, 60_000)

  it('count as paid when a stranger carries the signature out first', async () => {
    pair = await start(token, true)
    const { payer, payee } = pair
    await chain.mint(payer.address, 10_000n, token)
    const domain = {
      name: 'Authorized',
      version: '1',
      chainId: chain.anvil.chainId,
      verifyingContract: token,
    }
    const nonce = orderNonce({ id: 'once-3', to: payee.address, amount: 90n })
    const transfer = {
      from: payer.address,
      to: payee.address,
      value: 90n,
      validBefore: 2n ** 40n,
      nonce,
    }
    const key = new SigningKey(ANVIL_KEYS[1]!)
    const signed = await signAuthorization(key, domain, 'TransferWithAuthorization', transfer)
    await chain.anvil.setAutomine(false)
    try {
      await pair.payer.settle('once-3', 90n)
      await pair.payer.engine.tick()
      await pair.payer.engine.tick()
      // Mined before ours: it offers more.
      await chain.anvil.rpc('eth_sendTransaction', {
        from: RICH,
        to: token,
        data: authorizedTransferData('transferWithAuthorization', transfer, signed),
        gas: '0x30d40',
        maxFeePerGas: '0x2540be400',
        maxPriorityFeePerGas: '0x2540be400',
      })
    } finally {
      await chain.anvil.setAutomine(true)
    }
    await pair.until('settled', () => payer.ends.get('once-3') === 'settled')
    await pair.until('credited', () => payee.creditedSum === 90n)
    expect(await chain.tokenBalance(payer.address, token)).toBe(30_000n - 70n - 80n - 90n)
    expect(payer.alarms).not.toContain('transfer-failed')
  }, 60_000)

  it('are refused once the signature is over, and never before', async () => {
    pair = await start(token, true)
    const { payer } = pair
    await chain.mint(RICH, 1n, token)
    const all = await chain.tokenBalance(payer.address, token)
    // More than there is: no node would take the transaction.
    await payer.settle('once-4', all + 1n)
    for (let round = 0; round < 3; round++) await pair.advance()
    expect(payer.ends.has('once-4')).toBe(false)
    payer.aheadMs = 86_500_000
    await pair.advance()
    expect(payer.ends.has('once-4')).toBe(false)
    await chain.anvil.increaseTime(86_500)
    await pair.until('refused', () => payer.ends.get('once-4') === 'refused')
    expect(payer.alarms).toContain('transfer-failed')
  }, 60_000)

  it('are over by the time of the chain, however wrong the clock of the engine is', async () => {
    pair = await start(token, true)
    const { payer } = pair
    payer.aheadMs = 10 * 365 * 86_400_000
    await payer.restart('USD')
    await payer.settle('once-5', (await chain.tokenBalance(payer.address, token)) + 1n)
    for (let round = 0; round < 3; round++) await pair.advance()
    payer.aheadMs += 86_500_000
    await chain.anvil.increaseTime(86_500)
    await pair.until('refused', () => payer.ends.get('once-5') === 'refused')
  }, 60_000)
})

import { type Address, type Hex, keccak256, toFunctionSelector, zeroAddress } from 'viem'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { ChannelsChain, GAS } from './channels-chain.ts'
import { type AuthorizationKind, FAR, signedAuthorization, signedPermit } from './signed-tokens.ts'

// Errors of the token, which the contract's ABI does not name.
const ERC3009InvalidSignature = toFunctionSelector('ERC3009InvalidSignature()')
const ERC3009UsedAuthorization = toFunctionSelector('ERC3009UsedAuthorization(address,bytes32)')
const ERC3009InvalidAuthorizationTime = toFunctionSelector('ERC3009InvalidAuthorizationTime(uint256,uint256)')

describe('SettlementChannels: deposits by signature', () => {
  let chain: ChannelsChain
  let permitToken: Address
  let authToken: Address
  beforeAll(async () => {
    chain = await ChannelsChain.start()
    permitToken = await chain.deploy('TestToken', ['Permit', 'PMT', 6])
    authToken = await chain.deploy('AuthorizationToken', ['Authorized', 'AUT', 6])
    await chain.endow('TestToken', permitToken, 10_000n, 0n)
    await chain.endow('AuthorizationToken', authToken, 10_000n, 0n)
  })
  afterAll(async () => {
    await chain?.stop()
  })

  const as = (account: Address) => ({ account, gas: GAS })

  async function permit(value: bigint, deadline = FAR) {
    const nonce = await chain.look<bigint>('TestToken', permitToken, 'nonces', [chain.payer.address])
    return await signedPermit(chain, permitToken, { value, nonce, deadline })
  }

  async function authorization(kind: AuthorizationKind, value: bigint, nonce: Hex, validBefore = FAR) {
    return await signedAuthorization(chain, authToken, { kind, value, nonce, validBefore })
  }

  const allowance = async () =>
    await chain.look<bigint>('TestToken', permitToken, 'allowance', [
      chain.payer.address,
      chain.channels.address,
    ])

  it('opens and funds with permits and leaves no allowance behind', async () => {
    const { channels, payer } = chain
    const terms = chain.terms({ token: permitToken })
    await chain.mined(channels.write.openWithPermit([terms, 100n, await permit(100n)], as(payer.address)))
    const id = await channels.read.channelId([payer.address, terms])
    const receipt = await chain.mined(
      channels.write.fundWithPermit([id, 50n, await permit(50n)], as(payer.address)),
    )
    expect(chain.events(receipt)[0]?.eventName).toBe('ChannelFunded')
    expect((await channels.read.channelOf([id])).deposited).toBe(150n)
    expect(await allowance()).toBe(0n)
  })

  it('opens although somebody else used the permit first', async () => {
    const { channels, payer, stranger } = chain
    const terms = chain.terms({ token: permitToken })
    const signed = await permit(70n)
    const { deadline, v, r, s } = signed
    const args = [payer.address, channels.address, 70n, deadline, v, r, s]
    await chain.call(stranger.address, 'TestToken', permitToken, 'permit', args)
    await chain.mined(channels.write.openWithPermit([terms, 70n, signed], as(payer.address)))
    expect(await allowance()).toBe(0n)
  })

  it("does not let anybody spend another's permit", async () => {
    const { channels, stranger } = chain
    const terms = chain.terms({ token: permitToken, payee: chain.signer.address })
    const signed = await permit(70n)
    await expect(
      channels.simulate.openWithPermit([terms, 70n, signed], as(stranger.address)),
    ).rejects.toThrow()
  })

  it('refuses a permit for less, and one that is over', async () => {
    const { channels, payer } = chain
    const terms = chain.terms({ token: permitToken })
    const less = channels.simulate.openWithPermit([terms, 100n, await permit(99n)], as(payer.address))
    await expect(less).rejects.toThrow('reverted')
    const over = channels.simulate.openWithPermit([terms, 100n, await permit(100n, 1n)], as(payer.address))
    await expect(over).rejects.toThrow('reverted')
  })

  it('refuses signed deposits for the native coin', async () => {
    const { channels, payer } = chain
    const terms = chain.terms({ token: zeroAddress })
    const signed = await permit(1n)
    const byPermit = channels.simulate.openWithPermit([terms, 1n, signed], as(payer.address))
    expect(await chain.refusal(byPermit)).toBe('NotAToken')
    const auth = { validAfter: 0n, validBefore: FAR, v: signed.v, r: signed.r, s: signed.s }
    const byAuthorization = channels.simulate.openWithAuthorization(
      [payer.address, terms, 1n, auth],
      as(payer.address),
    )
    expect(await chain.refusal(byAuthorization)).toBe('NotAToken')
  })

  it('lets anybody open for the payer with an authorization that is bound to the terms', async () => {
    const { channels, payer, stranger } = chain
    const terms = chain.terms({ token: authToken })
    const id = await channels.read.channelId([payer.address, terms])
    const nonce = await channels.read.openAuthorizationNonce([id])
    const auth = await authorization('ReceiveWithAuthorization', 80n, nonce)
    const other = { ...terms, payee: stranger.address }
    expect(
      await chain.refusal(
        channels.simulate.openWithAuthorization([payer.address, other, 80n, auth], as(stranger.address)),
      ),
    ).toBe(ERC3009InvalidSignature)
    const receipt = await chain.mined(
      channels.write.openWithAuthorization([payer.address, terms, 80n, auth], as(stranger.address)),
    )
    expect(chain.events(receipt)).toEqual([
      { eventName: 'ChannelOpened', args: { id, payer: payer.address, ...terms, deposited: 80n } },
    ])
    const again = channels.simulate.openWithAuthorization(
      [payer.address, terms, 80n, auth],
      as(stranger.address),
    )
    expect(await chain.refusal(again)).toBe('ChannelExists')
  })

  it('funds with an authorization once, and only for the channel and salt it names', async () => {
    const { channels, payer, stranger } = chain
    const terms = chain.terms({ token: authToken })
    const id = await channels.read.channelId([payer.address, terms])
    const opening = await authorization(
      'ReceiveWithAuthorization',
      10n,
      await channels.read.openAuthorizationNonce([id]),
    )
    await chain.mined(
      channels.write.openWithAuthorization([payer.address, terms, 10n, opening], as(stranger.address)),
    )
    const salt = keccak256('0x03')
    const nonce = await channels.read.fundAuthorizationNonce([id, salt])
    const auth = await authorization('ReceiveWithAuthorization', 25n, nonce)
    const wrongSalt = channels.simulate.fundWithAuthorization(
      [id, payer.address, 25n, keccak256('0x04'), auth],
      as(stranger.address),
    )
    expect(await chain.refusal(wrongSalt)).toBe(ERC3009InvalidSignature)
    const receipt = await chain.mined(
      channels.write.fundWithAuthorization([id, payer.address, 25n, salt, auth], as(stranger.address)),
    )
    expect(chain.events(receipt)).toEqual([
      { eventName: 'ChannelFunded', args: { id, from: payer.address, amount: 25n, deposited: 35n } },
    ])
    expect(
      await chain.refusal(
        channels.simulate.fundWithAuthorization([id, payer.address, 25n, salt, auth], as(stranger.address)),
      ),
    ).toBe(ERC3009UsedAuthorization)
  })

  it('cannot be stranded: nobody but the contract can use an authorization', async () => {
    const { channels, payer, stranger } = chain
    const terms = chain.terms({ token: authToken })
    const id = await channels.read.channelId([payer.address, terms])
    const nonce = await channels.read.openAuthorizationNonce([id])
    const auth = await authorization('ReceiveWithAuthorization', 60n, nonce)
    const args = [payer.address, channels.address, 60n, 0n, auth.validBefore, nonce, auth.v, auth.r, auth.s]
    for (const method of ['receiveWithAuthorization', 'transferWithAuthorization']) {
      const before = await chain.balance(channels.address, authToken)
      await expect(
        chain.call(stranger.address, 'AuthorizationToken', authToken, method, args),
      ).rejects.toThrow('reverted')
      expect(await chain.balance(channels.address, authToken)).toBe(before)
    }
    await chain.mined(
      channels.write.openWithAuthorization([payer.address, terms, 60n, auth], as(stranger.address)),
    )
    expect((await channels.read.channelOf([id])).deposited).toBe(60n)
  })

  it('refuses an authorization that is over, and one of the other kind', async () => {
    const { channels, payer, stranger } = chain
    const terms = chain.terms({ token: authToken })
    const id = await channels.read.channelId([payer.address, terms])
    const nonce = await channels.read.openAuthorizationNonce([id])
    const over = await authorization('ReceiveWithAuthorization', 5n, nonce, 1n)
    expect(
      await chain.refusal(
        channels.simulate.openWithAuthorization([payer.address, terms, 5n, over], as(stranger.address)),
      ),
    ).toBe(ERC3009InvalidAuthorizationTime)
    const transfer = await authorization('TransferWithAuthorization', 5n, nonce)
    expect(
      await chain.refusal(
        channels.simulate.openWithAuthorization([payer.address, terms, 5n, transfer], as(stranger.address)),
      ),
    ).toBe(ERC3009InvalidSignature)
  })
})

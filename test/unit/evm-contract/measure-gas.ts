import { type Address, type Hash, type Hex, zeroAddress } from 'viem'
import { type ChannelsChain, DAY_S, GAS, keyOf } from './channels-chain.ts'
import { signedAuthorization, signedPermit } from './signed-tokens.ts'

export interface GasRow {
  readonly operation: string
  /** Undefined where there is no such thing. */
  readonly native: bigint | undefined
  readonly token: bigint | undefined
}

const DEPOSIT = 1_000_000n

/** Gas of each operation, as receipts tell it: a day's delay, a payee that is not new to the chain. */
export async function measureGas(chain: ChannelsChain): Promise<readonly GasRow[]> {
  const token = await chain.deploy('TestToken', ['Permit', 'PMT', 6])
  await chain.endow('TestToken', token, 10n ** 12n, 10n ** 11n)
  // The contract holds some of the token already, as it does for all but the first channel.
  await chain.open(1n, { token })
  const native = await costs(chain, zeroAddress)
  const erc20 = await costs(chain, token)
  const signed = await signedOpens(chain, token)
  return [
    { operation: 'deploy', native: chain.deployment.gasUsed, token: undefined },
    ...Object.keys(native).map((operation) => ({
      operation,
      native: native[operation],
      token: erc20[operation],
    })),
    ...Object.entries(signed).map(([operation, gas]) => ({ operation, native: undefined, token: gas })),
  ]
}

async function costs(chain: ChannelsChain, token: Address): Promise<Record<string, bigint>> {
  const { channels, payer, payee, stranger } = chain
  const used = async (hash: Promise<Hash>) => (await chain.mined(hash)).gasUsed
  const as = (account: Address) => ({ account, gas: GAS })
  const value = token === zeroAddress ? DEPOSIT : 0n
  const open = async () => await chain.open(DEPOSIT, { token })
  const claim = async (id: Hex, cumulative: bigint) => (await chain.claim(id, cumulative)).gasUsed

  const result: Record<string, bigint> = {}
  result.open = await used(
    channels.write.open([chain.terms({ token }), DEPOSIT], { ...as(payer.address), value }),
  )
  const id = await open()
  result.fund = await used(channels.write.fund([id, DEPOSIT], { ...as(payer.address), value }))
  result['claim, first'] = await claim(id, 1_000n)
  result['claim, later'] = await claim(id, 2_000n)
  result['claim, nothing new'] = await claim(id, 2_000n)
  for (const count of [2, 10]) {
    const rows = []
    for (let row = 0; row < count; row++) {
      const channel = await open()
      rows.push({ id: channel, cumulative: 1_000n, signature: await chain.voucher(channel, 1_000n) })
    }
    const call = { account: stranger.address, gas: GAS }
    result[`claimMany, ${count} vouchers of one payee`] = await used(channels.write.claimMany([rows], call))
  }
  result.requestClose = await used(channels.write.requestClose([id], as(payer.address)))
  result.cancelClose = await used(channels.write.cancelClose([id], as(payer.address)))
  await used(channels.write.requestClose([id], as(payer.address)))
  await chain.pass(DAY_S)
  result.withdraw = await used(channels.write.withdraw([id], as(payer.address)))
  result.close = await used(channels.write.close([await open()], as(payee.address)))
  const last = await open()
  const voucher = await chain.voucher(last, 1_000n)
  result.closeWithVoucher = await used(
    channels.write.closeWithVoucher([last, 1_000n, voucher], as(payee.address)),
  )
  return result
}

async function signedOpens(chain: ChannelsChain, permitToken: Address): Promise<Record<string, bigint>> {
  const { channels, payer, stranger } = chain
  const permit = await signedPermit(chain, permitToken, { value: DEPOSIT, nonce: 0n })
  const byPermit = await chain.mined(
    channels.write.openWithPermit([chain.terms({ token: permitToken }), DEPOSIT, permit], {
      account: payer.address,
      gas: GAS,
    }),
  )
  const token = await chain.deploy('AuthorizationToken', ['Authorized', 'AUT', 6])
  await chain.endow('AuthorizationToken', token, 10n * DEPOSIT, DEPOSIT)
  await chain.open(1n, { token })
  const terms = chain.terms({ token, payee: keyOf('payee').address })
  const nonce = await channels.read.openAuthorizationNonce([
    await channels.read.channelId([payer.address, terms]),
  ])
  const auth = await signedAuthorization(chain, token, { value: DEPOSIT, nonce })
  const byAuthorization = await chain.mined(
    channels.write.openWithAuthorization([payer.address, terms, DEPOSIT, auth], {
      account: stranger.address,
      gas: GAS,
    }),
  )
  return {
    'openWithPermit (EIP-2612)': byPermit.gasUsed,
    'openWithAuthorization (EIP-3009)': byAuthorization.gasUsed,
  }
}

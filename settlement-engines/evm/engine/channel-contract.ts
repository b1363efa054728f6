import {
  decodeAbiParameters,
  decodeFunctionResult,
  encodeAbiParameters,
  encodeFunctionData,
  erc20Abi,
  type Hex,
  keccak256,
  stringToHex,
  zeroAddress,
} from 'viem'
import { SCALE_MAX } from '../../../src/settlement/quantity.ts'
import type { Chain } from '../chain.ts'
import { ChainError } from '../chain-error.ts'
import { isSettlementChannels } from '../contract/runtime-code.ts'
import { settlementChannelsAbi } from '../contract/settlement-channels-abi.ts'
import { hexOf, toBytes } from '../rpc-values.ts'
import type { ChannelTerms } from './channel-record.ts'
import type { Authorization, Permit } from './token-signatures.ts'

/** `closeAt` of a closed channel. */
const CLOSED = 2n ** 64n - 1n
/** The last second that a JavaScript date can show: blocks are no later, and delays are at most 30 days. */
const CLOSE_AT_MAX = 8_640_000_000_000n
/** What the nonces of signed deposits begin with. */
const OPEN_AUTHORIZATION = keccak256(stringToHex('SettlementChannels.open'))
const FUND_AUTHORIZATION = keccak256(stringToHex('SettlementChannels.fund'))
/** Questions in one request: providers commonly allow 100. */
const BATCH_MAX = 50

/** A channel as the contract keeps it. */
export interface ChannelOnChain {
  readonly payer: Hex
  readonly payee: Hex
  readonly token: Hex
  readonly signer: Hex
  readonly settleDelay: number
  readonly deposited: bigint
  readonly claimed: bigint
  readonly state: 'open' | 'closing' | 'closed'
  /** Seconds since the epoch, while closing. */
  readonly closeAt: number | undefined
}

/** A deposit that needs no allowance. */
export type DepositSignature =
  | {
      readonly kind: 'authorization'
      readonly from: Hex
      readonly signed: Authorization
      /** Of a top-up. */
      readonly salt: Hex
    }
  | { readonly kind: 'permit'; readonly signed: Permit }

export interface Call {
  readonly to: Hex
  readonly value: bigint
  readonly data: Hex
}

/** The contract: what to send to it and what it tells. */
export class ChannelContract {
  readonly address: Hex
  readonly #chain: Chain

  constructor(options: { address: Hex }, deps: { chain: Chain }) {
    this.address = options.address
    this.#chain = deps.chain
  }

  /** @throws ChainError `wrong-code` when something else is there */
  async check(): Promise<void> {
    const code = await this.#chain.request('eth_getCode', [this.address, 'latest'], (value) =>
      toBytes(value, 'code'),
    )
    if (!isSettlementChannels(code)) {
      throw new ChainError(
        'wrong-code',
        `there is no SettlementChannels contract of this version at ${this.address} on chain ${this.#chain.chainId}`,
      )
    }
  }

  /** As the contract computes it. */
  idOf(payer: Hex, terms: ChannelTerms): Hex {
    const types = ['uint256', 'address', 'address', 'address', 'address', 'address', 'uint32', 'bytes32']
    return keccak256(
      encodeAbiParameters(
        types.map((type) => ({ type })),
        [
          BigInt(this.#chain.chainId),
          this.address,
          payer,
          terms.payee,
          terms.token,
          terms.signer,
          terms.settleDelay,
          terms.salt,
        ],
      ),
    )
  }

  open(terms: ChannelTerms, amount: bigint): Call {
    const data = encodeFunctionData({
      abi: settlementChannelsAbi,
      functionName: 'open',
      args: [terms, amount],
    })
    return this.#call(data, terms.token === zeroAddress ? amount : 0n)
  }

  fund(id: Hex, token: Hex, amount: bigint): Call {
    const data = encodeFunctionData({ abi: settlementChannelsAbi, functionName: 'fund', args: [id, amount] })
    return this.#call(data, token === zeroAddress ? amount : 0n)
  }

  /** {@link open} of a token, by signature. */
  openSigned(terms: ChannelTerms, amount: bigint, by: DepositSignature): Call {
    const data =
      by.kind === 'permit'
        ? encodeFunctionData({
            abi: settlementChannelsAbi,
            functionName: 'openWithPermit',
            args: [terms, amount, by.signed],
          })
        : encodeFunctionData({
            abi: settlementChannelsAbi,
            functionName: 'openWithAuthorization',
            args: [by.from, terms, amount, by.signed],
          })
    return this.#call(data)
  }

  /** {@link fund} of a token, by signature. */
  fundSigned(id: Hex, amount: bigint, by: DepositSignature): Call {
    const data =
      by.kind === 'permit'
        ? encodeFunctionData({
            abi: settlementChannelsAbi,
            functionName: 'fundWithPermit',
            args: [id, amount, by.signed],
          })
        : encodeFunctionData({
            abi: settlementChannelsAbi,
            functionName: 'fundWithAuthorization',
            args: [id, by.from, amount, by.salt, by.signed],
          })
    return this.#call(data)
  }

  /** What an authorization must be signed for: the channel, and of a top-up its salt. */
  authorizationNonce(kind: 'open' | 'fund', id: Hex, salt: Hex): Hex {
    const bytes32 = { type: 'bytes32' } as const
    return keccak256(
      kind === 'open'
        ? encodeAbiParameters([bytes32, bytes32], [OPEN_AUTHORIZATION, id])
        : encodeAbiParameters([bytes32, bytes32, bytes32], [FUND_AUTHORIZATION, id, salt]),
    )
  }

  claim(id: Hex, cumulative: bigint, signature: Hex): Call {
    const args = [id, cumulative, signature] as const
    return this.#call(encodeFunctionData({ abi: settlementChannelsAbi, functionName: 'claim', args }))
  }

  /** Many in one: a voucher that moves nothing holds up no other. */
  claimMany(rows: readonly { id: Hex; cumulative: bigint; signature: Hex }[]): Call {
    const args = [rows] as const
    return this.#call(encodeFunctionData({ abi: settlementChannelsAbi, functionName: 'claimMany', args }))
  }

  /** By the payee; with the best voucher when there is one. */
  close(id: Hex, cumulative: bigint, signature: Hex | undefined): Call {
    if (signature === undefined) {
      return this.#call(encodeFunctionData({ abi: settlementChannelsAbi, functionName: 'close', args: [id] }))
    }
    const args = [id, cumulative, signature] as const
    return this.#call(
      encodeFunctionData({ abi: settlementChannelsAbi, functionName: 'closeWithVoucher', args }),
    )
  }

  /** By the payer. */
  requestClose(id: Hex): Call {
    const args = [id] as const
    return this.#call(encodeFunctionData({ abi: settlementChannelsAbi, functionName: 'requestClose', args }))
  }

  withdraw(id: Hex): Call {
    return this.#call(
      encodeFunctionData({ abi: settlementChannelsAbi, functionName: 'withdraw', args: [id] }),
    )
  }

  approve(token: Hex, amount: bigint): Call {
    const args = [this.address, amount] as const
    return {
      to: token,
      value: 0n,
      data: encodeFunctionData({ abi: erc20Abi, functionName: 'approve', args }),
    }
  }

  /** What the contract may take of `owner`'s tokens, at the newest block. */
  async allowance(token: Hex, owner: Hex): Promise<bigint> {
    const data = encodeFunctionData({
      abi: erc20Abi,
      functionName: 'allowance',
      args: [owner, this.address],
    })
    return await this.#amountOf(token, data)
  }

  async tokenBalance(token: Hex, owner: Hex): Promise<bigint> {
    const data = encodeFunctionData({ abi: erc20Abi, functionName: 'balanceOf', args: [owner] })
    return await this.#amountOf(token, data)
  }

  /** Scale of a token: 18 for the native coin. @throws ChainError, `wrong-code` when it answers with something else */
  async scaleOf(token: Hex): Promise<number> {
    if (token === zeroAddress) return 18
    const call = encodeFunctionData({ abi: erc20Abi, functionName: 'decimals' })
    return await this.#chain.request('eth_call', [{ to: token, data: call }, 'latest'], (value) => {
      const data = toBytes(value, 'decimals')
      let scale: number
      try {
        scale = decodeFunctionResult({ abi: erc20Abi, functionName: 'decimals', data })
      } catch (error) {
        throw new ChainError('wrong-code', `the answer is none: ${String(error)}`)
      }
      // What decodes an answer does not look at its range.
      if (scale > SCALE_MAX) throw new ChainError('wrong-code', `the answer is ${scale}`)
      return scale
    })
  }

  /** In the order of the ids; undefined where there never was such a channel. */
  async read(ids: readonly Hex[], at: number | 'latest'): Promise<(ChannelOnChain | undefined)[]> {
    const all: (ChannelOnChain | undefined)[] = []
    const block = typeof at === 'number' ? hexOf(at) : at
    for (let from = 0; from < ids.length; from += BATCH_MAX) {
      const part = ids.slice(from, from + BATCH_MAX).map((id) => {
        const data = encodeFunctionData({
          abi: settlementChannelsAbi,
          functionName: 'channelOf',
          args: [id],
        })
        return { method: 'eth_call', params: [{ to: this.address, data }, block] }
      })
      all.push(...(await this.#chain.together(part, (values) => values.map(toChannelOnChain))))
    }
    return all
  }

  /** The answer of a token to a question for one number. */
  async #amountOf(token: Hex, data: Hex): Promise<bigint> {
    return await this.#chain.request('eth_call', [{ to: token, data }, 'latest'], (value) =>
      decoded(() => decodeAbiParameters([{ type: 'uint256' }], toBytes(value, 'an amount'))[0]),
    )
  }

  #call(data: Hex, value = 0n): Call {
    return { to: this.address, value, data }
  }
}

function toChannelOnChain(value: unknown): ChannelOnChain | undefined {
  const data = toBytes(value, 'a channel')
  const channel = decoded(() =>
    decodeFunctionResult({ abi: settlementChannelsAbi, functionName: 'channelOf', data }),
  )
  if (channel.payer === zeroAddress) return undefined
  const { closeAt } = channel
  const state = closeAt === 0n ? 'open' : closeAt === CLOSED ? 'closed' : 'closing'
  if (state === 'closing' && closeAt > CLOSE_AT_MAX) {
    throw new ChainError('bad-answer', `a node tells a channel that closes in second ${closeAt}`)
  }
  // The contract pays no more than was put in: credits are given on this figure.
  if (channel.claimed > channel.deposited) {
    throw new ChainError(
      'bad-answer',
      `a node tells a channel that has paid ${channel.claimed} of ${channel.deposited}`,
    )
  }
  return {
    payer: lower(channel.payer),
    payee: lower(channel.payee),
    token: lower(channel.token),
    signer: lower(channel.signer),
    settleDelay: channel.settleDelay,
    deposited: channel.deposited,
    claimed: channel.claimed,
    state,
    closeAt: state === 'closing' ? Number(closeAt) : undefined,
  }
}

function decoded<T>(decode: () => T): T {
  try {
    return decode()
  } catch (error) {
    throw new ChainError('bad-answer', `a node's answer to a call cannot be read: ${String(error)}`)
  }
}

function lower(address: string): Hex {
  return address.toLowerCase() as Hex
}

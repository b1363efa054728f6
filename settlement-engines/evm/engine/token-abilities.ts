import {
  type ContractFunctionReturnType,
  decodeFunctionResult,
  domainSeparator,
  type EncodeFunctionDataParameters,
  encodeFunctionData,
  type Hex,
  keccak256,
  stringToHex,
} from 'viem'
import type { Chain } from '../chain.ts'
import { ChainError } from '../chain-error.ts'
import { hexOf, toBytes } from '../rpc-values.ts'
import type { SigningKey } from '../signing-key.ts'
import { isRefusal } from './is-refusal.ts'
import {
  type AuthorizationKind,
  authorizedTransferData,
  SIGNED_TOKEN_ABI,
  signAuthorization,
  signPermit,
  type TokenDomain,
} from './token-signatures.ts'

/** What a token takes by signature: transfers (EIP-3009), or else allowances (EIP-2612). */
export interface TokenAbility {
  readonly kind: 'authorization' | 'permit'
  readonly domain: TokenDomain
}

type View = 'authorizationState' | 'nonces' | 'name' | 'version' | 'DOMAIN_SEPARATOR' | 'eip712Domain'
type Answer<T extends View> = ContractFunctionReturnType<typeof SIGNED_TOKEN_ABI, 'view', T>

/** Versions that tokens have which do not tell theirs. */
const USUAL_VERSIONS = ['1', '2']
const FAR_S = 2n ** 40n
/** Nobody pays under it. */
const PROBE_NONCE = keccak256(stringToHex('Causeway: does this token take signatures?'))

/** Asks tokens what they take by signature, and what became of signatures. */
export class TokenProbe {
  readonly #chain: Chain
  readonly #key: SigningKey

  constructor(deps: { chain: Chain; key: SigningKey }) {
    this.#chain = deps.chain
    this.#key = deps.key
  }

  /**
   * Tries it out, without a transaction: a good signature over nothing must be taken, and a wrong one refused, since some
   * tokens swallow calls that they do not know.
   * @throws ChainError when no node can be asked
   */
  async abilityOf(token: Hex): Promise<TokenAbility | undefined> {
    const domains = await this.#domainsOf(token)
    const { address } = this.#key
    if ((await this.#view(token, 'authorizationState', [address, PROBE_NONCE])) !== undefined) {
      for (const domain of domains) {
        const takesBoth =
          (await this.#takesAuthorization(token, domain, 'TransferWithAuthorization')) &&
          (await this.#takesAuthorization(token, domain, 'ReceiveWithAuthorization'))
        if (takesBoth) return { kind: 'authorization', domain }
      }
    }
    const nonce = await this.#view(token, 'nonces', [address])
    if (nonce === undefined) return undefined
    for (const domain of domains) {
      if (await this.#takesPermit(token, domain, nonce)) return { kind: 'permit', domain }
    }
    return undefined
  }

  /** Whether our nonce was used, by a transfer or a cancellation. @throws ChainError */
  async isUsed(token: Hex, nonce: Hex, at: number | 'latest'): Promise<boolean> {
    const isUsed = await this.#view(token, 'authorizationState', [this.#key.address, nonce], at)
    if (isUsed === undefined) throw new ChainError('bad-answer', `${token} does not tell of authorizations`)
    return isUsed
  }

  /** The next nonce of our permits. @throws ChainError */
  async permitNonce(token: Hex): Promise<bigint> {
    const nonce = await this.#view(token, 'nonces', [this.#key.address])
    if (nonce === undefined) throw new ChainError('bad-answer', `${token} does not tell the nonce of permits`)
    return nonce
  }

  /** Whether a call of ours would go through now. @throws ChainError when no node can be asked */
  async isTaken(call: { to: Hex; data: Hex }): Promise<boolean> {
    return (await this.#call(call.to, call.data)) !== undefined
  }

  async #domainsOf(token: Hex): Promise<TokenDomain[]> {
    const told = await this.#view(token, 'eip712Domain', [])
    const name = told?.[1] ?? (await this.#view(token, 'name', []))
    if (name === undefined) return []
    const version = told?.[2] ?? (await this.#view(token, 'version', []))
    const separator = await this.#view(token, 'DOMAIN_SEPARATOR', [])
    const versions = version === undefined ? USUAL_VERSIONS : [version]
    return versions
      .map((one) => ({ name, version: one, chainId: this.#chain.chainId, verifyingContract: token }))
      .filter((domain) => separator === undefined || domainSeparator({ domain }) === separator)
  }

  async #takesAuthorization(token: Hex, domain: TokenDomain, kind: AuthorizationKind): Promise<boolean> {
    const { address } = this.#key
    const nothing = { from: address, to: address, value: 0n, validBefore: FAR_S, nonce: PROBE_NONCE }
    const isReceive = kind === 'ReceiveWithAuthorization'
    const functionName = isReceive ? 'receiveWithAuthorization' : 'transferWithAuthorization'
    const good = await signAuthorization(this.#key, domain, kind, nothing)
    const wrong = await signAuthorization(this.#key, domain, kind, { ...nothing, value: 1n })
    return await this.#tellsApart(
      token,
      authorizedTransferData(functionName, nothing, good),
      authorizedTransferData(functionName, nothing, wrong),
    )
  }

  async #takesPermit(token: Hex, domain: TokenDomain, nonce: bigint): Promise<boolean> {
    const { address } = this.#key
    const nothing = { owner: address, spender: address, value: 0n, nonce, deadline: FAR_S }
    const dataOf = async (signed: typeof nothing) => {
      const { deadline, r, s, v } = await signPermit(this.#key, domain, signed)
      return encodeFunctionData({
        abi: SIGNED_TOKEN_ABI,
        functionName: 'permit',
        args: [address, address, 0n, deadline, v, r, s],
      })
    }
    return await this.#tellsApart(token, await dataOf(nothing), await dataOf({ ...nothing, value: 1n }))
  }

  async #tellsApart(token: Hex, good: Hex, wrong: Hex): Promise<boolean> {
    return (await this.#call(token, good)) !== undefined && (await this.#call(token, wrong)) === undefined
  }

  /** Undefined when the token does not know the question. */
  async #view<T extends View>(
    token: Hex,
    functionName: T,
    args: readonly unknown[],
    at: number | 'latest' = 'latest',
  ): Promise<Answer<T> | undefined> {
    const call: EncodeFunctionDataParameters = { abi: SIGNED_TOKEN_ABI, functionName, args }
    const data = encodeFunctionData(call)
    const answer = await this.#call(token, data, at)
    if (answer === undefined || answer === '0x') return undefined
    try {
      return decodeFunctionResult({ abi: SIGNED_TOKEN_ABI, functionName, data: answer } as never) as Answer<T>
    } catch {
      return undefined
    }
  }

  /** Undefined when it is refused. */
  async #call(to: Hex, data: Hex, at: number | 'latest' = 'latest'): Promise<Hex | undefined> {
    const block = typeof at === 'number' ? hexOf(at) : at
    try {
      return await this.#chain.request('eth_call', [{ from: this.#key.address, to, data }, block], (value) =>
        toBytes(value, 'the answer to a call'),
      )
    } catch (error) {
      // Anything else says nothing about the token: it must not look as if it could do less than it can.
      if (isRefusal(error)) return undefined
      throw error
    }
  }
}

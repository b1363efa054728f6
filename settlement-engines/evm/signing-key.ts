import { inspect } from 'node:util'
import type { Hex } from 'viem'
import { type PrivateKeyAccount, privateKeyToAccount } from 'viem/accounts'
import { keccak256 } from 'viem/utils'
import type { FeePair } from './tx-intent.ts'

const HIDDEN = '[redacted]'

export interface UnsignedTx extends FeePair {
  readonly chainId: number
  readonly nonce: number
  readonly to: Hex
  readonly value: bigint
  readonly data: Hex
  readonly gas: bigint
}

/** A private key of secp256k1. Whatever prints or serializes it shows no part of it. */
export class SigningKey {
  /** In lower case. */
  readonly address: Hex
  readonly #account: PrivateKeyAccount

  /** @throws Error, without the key in it, when `privateKey` is none: 32 bytes, above zero, below the curve's order */
  constructor(privateKey: Hex) {
    let account: PrivateKeyAccount
    try {
      account = privateKeyToAccount(privateKey)
    } catch {
      // The cause may quote the key.
      throw new Error(
        'that is no private key: it must be 32 bytes, above zero and below the order of secp256k1',
      )
    }
    this.#account = account
    this.address = account.address.toLowerCase() as Hex
  }

  /** For typed data and messages. Holds the key: it must not be logged. */
  get account(): PrivateKeyAccount {
    return this.#account
  }

  /** @returns the raw transaction (EIP-1559) and its hash; the same input gives the same bytes */
  async sign(transaction: UnsignedTx): Promise<{ raw: Hex; hash: Hex }> {
    const raw = await this.#account.signTransaction({ ...transaction, type: 'eip1559' })
    return { raw, hash: keccak256(raw) }
  }

  toJSON(): string {
    return HIDDEN
  }

  toString(): string {
    return HIDDEN
  }

  [inspect.custom](): string {
    return HIDDEN
  }
}

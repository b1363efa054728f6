import { createHash, createHmac, randomBytes, timingSafeEqual } from 'node:crypto'
import { LinkConfigError } from '../../src/peers/link.ts'

/** Whom a token lets in. */
export interface TokenOwner {
  readonly accountId: string
  /** SHA-256 of the token. */
  readonly tokenHash: Buffer
}

export function hashToken(token: Buffer | string): Buffer {
  return createHash('sha256').update(token).digest()
}

/**
 * Finds the account of a token without telling, by the time it takes, how close a guess came: tokens are looked up
 * by an HMAC of their hash under a key of this process, so where a guess lands in the index is unknown to whoever
 * guesses; and the hash found is compared in constant time. A hundred thousand accounts cost the same as one.
 */
export class TokenIndex<Owner extends TokenOwner> {
  readonly #key = randomBytes(32)
  readonly #owners = new Map<string, Owner>()

  /** Throws `LinkConfigError` when another account has the same token. Returns the owner it takes the place of. */
  add(owner: Owner): Owner | undefined {
    this.assertFree(owner)
    const place = this.#place(owner.tokenHash)
    const previous = this.#owners.get(place)
    this.#owners.set(place, owner)
    return previous === owner ? undefined : previous
  }

  assertFree(owner: TokenOwner): void {
    const holder = this.#owners.get(this.#place(owner.tokenHash))
    if (holder === undefined || holder.accountId === owner.accountId) return
    throw new LinkConfigError(
      'token',
      `account "${holder.accountId}" has the same token: give each account its own, it is what tells them apart`,
    )
  }

  remove(owner: Owner): void {
    const place = this.#place(owner.tokenHash)
    if (this.#owners.get(place) === owner) this.#owners.delete(place)
  }

  find(token: Buffer): Owner | undefined {
    const hash = hashToken(token)
    const owner = this.#owners.get(this.#place(hash))
    return owner !== undefined && timingSafeEqual(owner.tokenHash, hash) ? owner : undefined
  }

  #place(hash: Buffer): string {
    return createHmac('sha256', this.#key).update(hash).digest('base64')
  }
}

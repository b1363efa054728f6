import { decodeJwt } from 'jose'
import { LinkConfigError } from '../../src/peers/link.ts'
import { type IncomingCredentials, tokenDigest } from './incoming-credentials.ts'

/** Longest Authorization header looked at: an RS256 token with a few claims has about 800 characters. */
const AUTHORIZATION_LENGTH_MAX = 4_096

/** Anything that authenticates with {@link IncomingCredentials}. */
export interface Authenticated {
  readonly credentials: IncomingCredentials
}

/**
 * Knows which peer a request is from: by the account in the path, else by the bearer token itself, else by the `sub`
 * of a JWT, else by the ILP-Peer-Name header. The last two only choose the key that must then fit.
 */
export class Authenticator<T extends Authenticated> {
  readonly #byAccount = new Map<string, T>()
  readonly #byDigest = new Map<string, T>()
  readonly #bySubject = new Map<string, T>()
  readonly #byPeerName = new Map<string, T>()

  /** @throws LinkConfigError when another account already has the same token, subject or name */
  check(credentials: IncomingCredentials): void {
    const { accountId } = credentials
    const clash = (map: Map<string, T>, key: string): boolean => {
      const other = map.get(key)
      return other !== undefined && other.credentials.accountId !== accountId
    }
    if (credentials.digest !== undefined) {
      if (clash(this.#byDigest, credentials.digest))
        throw new LinkConfigError(
          'incoming.token',
          'is the token of another peer: give every peer its own token',
        )
      return
    }
    if (clash(this.#bySubject, credentials.subject))
      throw new LinkConfigError(
        'incoming.subject',
        'is the subject of another peer: give every peer its own subject',
      )
    if (clash(this.#byPeerName, credentials.peerName))
      throw new LinkConfigError(
        'incoming.peerName',
        'is the name of another peer: give every peer its own name',
      )
  }

  register(peer: T): void {
    const { credentials } = peer
    this.check(credentials)
    const previous = this.#byAccount.get(credentials.accountId)
    if (previous !== undefined) this.unregister(previous)
    this.#byAccount.set(credentials.accountId, peer)
    if (credentials.digest !== undefined) this.#byDigest.set(credentials.digest, peer)
    else {
      this.#bySubject.set(credentials.subject, peer)
      this.#byPeerName.set(credentials.peerName, peer)
    }
  }

  unregister(peer: T): void {
    const { credentials } = peer
    const remove = (map: Map<string, T>, key: string | undefined): void => {
      if (key !== undefined && map.get(key) === peer) map.delete(key)
    }
    remove(this.#byAccount, credentials.accountId)
    remove(this.#byDigest, credentials.digest)
    remove(this.#bySubject, credentials.subject)
    remove(this.#byPeerName, credentials.peerName)
  }

  /**
   * The peer that a request is from; undefined when it does not prove to be one. A promise only for a JWT not seen
   * before.
   * @throws TooManyChecksError
   */
  authenticate(
    authorization: string | undefined,
    accountId: string | undefined,
    peerName: string | undefined,
  ): T | undefined | Promise<T | undefined> {
    const token = bearerToken(authorization)
    if (token === undefined) return undefined
    const digest = tokenDigest(token)
    const peer = this.#find(token, digest, accountId, peerName)
    if (peer === undefined) return undefined
    const accepted = peer.credentials.accepts(token, digest)
    if (typeof accepted === 'boolean') return accepted ? peer : undefined
    return accepted.then((yes) => (yes && this.#isRegistered(peer) ? peer : undefined))
  }

  #isRegistered(peer: T): boolean {
    return this.#byAccount.get(peer.credentials.accountId) === peer
  }

  #find(
    token: string,
    digest: string,
    accountId: string | undefined,
    peerName: string | undefined,
  ): T | undefined {
    if (accountId !== undefined) return this.#byAccount.get(accountId)
    const known = this.#byDigest.get(digest)
    if (known !== undefined) return known
    if (this.#bySubject.size === 0) return undefined
    const subject = unverifiedSubject(token)
    if (subject !== undefined) return this.#bySubject.get(subject)
    return peerName === undefined ? undefined : this.#byPeerName.get(peerName)
  }
}

function bearerToken(authorization: string | undefined): string | undefined {
  if (authorization === undefined || authorization.length > AUTHORIZATION_LENGTH_MAX) return undefined
  if (authorization.length < 8 || authorization.slice(0, 7).toLowerCase() !== 'bearer ') return undefined
  return authorization.slice(7).trim()
}

/** `sub` as the token states it, to choose the key; the token is verified with that key afterwards. */
function unverifiedSubject(token: string): string | undefined {
  try {
    return decodeJwt(token).sub
  } catch {
    return undefined
  }
}

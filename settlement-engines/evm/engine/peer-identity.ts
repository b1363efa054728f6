import { createHmac, randomBytes } from 'node:crypto'
import { bytesToHex, type Hex } from 'viem'
import { MessageRefusedError, PeerMessageError } from '../../../src/settlement/engine.ts'
import type { AccountRecord, PeerRecord } from './account-book.ts'
import type { EngineCore } from './engine-core.ts'
import { type Identity, isProven, proveIdentity } from './identity-proof.ts'
import type { PeerAnswer, PeerBody, PeerRequest } from './peer-messages.ts'

type Hello = Extract<PeerRequest, { type: 'hello' }>

/** Who is on the other side of an account: proofs given and checked, addresses pinned. */
export class PeerIdentity {
  readonly #core: EngineCore
  /** New at each start: proofs of former runs answer no challenge of this one. */
  readonly #secret = randomBytes(32)

  constructor(core: EngineCore) {
    this.#core = core
  }

  challengeFor(accountId: string): Hex {
    return bytesToHex(createHmac('sha256', this.#secret).update(accountId).digest())
  }

  /** Both sides learn who the other is. @throws PeerMessageError */
  async greet(account: AccountRecord): Promise<PeerRecord> {
    const { challenge } = await this.#core.ask(account.id, 'challenge', {})
    const own = await this.#own(account, challenge)
    const yourChallenge = this.challengeFor(account.id)
    const answer = await this.#core.ask(account.id, 'hello', { ...own, yourChallenge })
    try {
      return await this.#accept(account, answer)
    } catch (error) {
      if (!(error instanceof MessageRefusedError)) throw error
      throw new PeerMessageError(`the peer's hello is not good: ${error.message}`)
    }
  }

  /** @throws MessageRefusedError */
  async hear(account: AccountRecord, hello: Hello): Promise<PeerBody> {
    await this.#accept(account, hello)
    return await this.#own(account, hello.yourChallenge)
  }

  async #own(account: AccountRecord, challenge: Hex): Promise<PeerBody> {
    const { claimKey, domain, funding, settings } = this.#core
    const identity: Identity = {
      account: funding.address,
      signer: claimKey.address,
      ilpAddress: account.ownAddress,
      peerIlpAddress: account.peerAddress,
      challenge,
    }
    const proof = await proveIdentity(funding, domain, identity)
    return { ...domain, minSettleDelay: settings.minSettleDelaySeconds, ...identity, proof }
  }

  async #accept(account: AccountRecord, hello: Hello | PeerAnswer<'hello'>): Promise<PeerRecord> {
    const { accounts, domain, funding, store } = this.#core
    if (hello.chainId !== domain.chainId) {
      throw new MessageRefusedError('wrong-chain', `this side settles on chain ${domain.chainId}`)
    }
    if (hello.contract !== domain.contract) {
      throw new MessageRefusedError('wrong-contract', `this side uses the contract ${domain.contract}`)
    }
    const fits = (own: string, told: string) => own === '' || told === '' || own === told
    if (!fits(account.ownAddress, hello.peerIlpAddress) || !fits(account.peerAddress, hello.ilpAddress)) {
      throw new MessageRefusedError('wrong-ilp-address', 'the ILP addresses are not those of this account')
    }
    if (hello.challenge !== this.challengeFor(account.id)) {
      throw new MessageRefusedError('bad-challenge', 'that is not the challenge of now: ask for it again')
    }
    if (hello.account === funding.address) {
      throw new MessageRefusedError('own-address', 'both sides have the same address')
    }
    if (!isProven(domain, hello, hello.proof)) {
      throw new MessageRefusedError('bad-proof', 'the proof is not of that address')
    }
    return store.transaction(() => {
      const known = accounts.peer(account.id)
      if (known !== undefined && known.address !== hello.account) {
        throw new MessageRefusedError('address-changed', `the account is bound to ${known.address}`)
      }
      const holder = accounts.peerAt(hello.account)
      if (holder !== undefined && holder.accountId !== account.id) {
        throw new MessageRefusedError('address-taken', 'the address is bound to another account')
      }
      const peer = {
        accountId: account.id,
        address: hello.account,
        signer: hello.signer,
        minDelay: hello.minSettleDelay,
      }
      const isNew = known?.signer !== peer.signer || known.minDelay !== peer.minDelay
      // A write that changes nothing would still wait for the disk.
      if (isNew) accounts.savePeer(peer)
      return peer
    })
  }
}

import type { Hex } from 'viem'
import type { EngineHost } from '../../../src/settlement/engine.ts'
import { readHeads } from '../finality.ts'
import type { AccountRecord, PeerRecord } from './account-book.ts'
import { type ChannelRecord, recordOf } from './channel-record.ts'
import type { EngineCore } from './engine-core.ts'
import { min } from './min-max.ts'
import { OrderSync } from './order-sync.ts'
import type { PeerIdentity } from './peer-identity.ts'
import type { PeerAnswer } from './peer-messages.ts'
import { addToTotal } from './totals.ts'
import { isVoucherOf } from './voucher.ts'

/** What the payee holds of us, told once per run before anything is signed: our books may be older than our vouchers. */
export class PayerRecovery {
  readonly #core: EngineCore
  readonly #identity: PeerIdentity
  readonly #orders: OrderSync
  /** Accounts whose peer has told in this run who it is and what it has credited. */
  readonly #greeted = new Set<string>()
  readonly #greeting = new Map<string, Promise<PeerRecord>>()

  constructor(core: EngineCore, deps: { identity: PeerIdentity; host: EngineHost }) {
    this.#core = core
    this.#identity = deps.identity
    this.#orders = new OrderSync(core, { host: deps.host })
  }

  isGreeted(accountId: string): boolean {
    return this.#greeted.has(accountId)
  }

  /** The peer has other books than it had: begin again from what it says. */
  forget(accountId: string): void {
    this.#greeted.delete(accountId)
  }

  /** The peer's identity, known or asked for. @throws PeerMessageError, or Error when the node cannot tell its orders */
  async greet(account: AccountRecord): Promise<PeerRecord> {
    const known = this.#core.accounts.peer(account.id)
    if (known?.signer !== undefined && this.#greeted.has(account.id)) return known
    // One at a time: orders that are signed for while the node is asked would look like a surplus.
    const running = this.#greeting.get(account.id)
    if (running !== undefined) return await running
    const own = this.#greetAnew(account).finally(() => this.#greeting.delete(account.id))
    this.#greeting.set(account.id, own)
    return await own
  }

  async #greetAnew(account: AccountRecord): Promise<PeerRecord> {
    const peer = await this.#identity.greet(account)
    const { channels } = await this.#core.ask(account.id, 'state', {})
    for (const told of channels) await this.#catchUp(account, peer, told)
    await this.#orders.sync(account, channels)
    this.#greeted.add(account.id)
    return peer
  }

  /** Nothing to ask a peer for: transfers need the node's view alone. @throws Error when it cannot be had now */
  async meetNode(account: AccountRecord): Promise<void> {
    if (this.#greeted.has(account.id)) return
    await this.#orders.sync(account, [])
    this.#greeted.add(account.id)
  }

  /** Inside a transaction: what was paid beyond the books pays other orders. */
  raise(channel: ChannelRecord, cumulative: bigint): void {
    const { alarm, channels, store } = this.#core
    const { accountId, id } = channel
    if (cumulative <= channel.cumulative) return
    alarm('books-old', { accountId, channelId: id, books: channel.cumulative, found: cumulative })
    channels.update(id, { cumulative })
    addToTotal(store, 'surplus', accountId, cumulative - channel.cumulative)
  }

  /** What the payee holds of us binds us: books that know less are raised to it, never the other way round. */
  async #catchUp(
    account: AccountRecord,
    peer: PeerRecord,
    told: PeerAnswer<'state'>['channels'][number],
  ): Promise<void> {
    const { channels, claimKey, domain, logger, orders, store } = this.#core
    const { channelId, cumulative, signature } = told
    if (cumulative === 0n) return
    // The rest of the voucher came when the channel was closing: the chain pays it, or nobody does.
    const credited = min(told.credited ?? cumulative, cumulative)
    // A channel may be of a former claim key.
    const signer = channels.find(channelId)?.terms.signer ?? claimKey.address
    if (signature === undefined || !isVoucherOf(signer, domain, { channelId, cumulative }, signature)) {
      logger.warn('peer tells a voucher that is not ours', { accountId: account.id, channelId })
      return
    }
    const known = channels.find(channelId) ?? (await this.#adopt(account, peer, channelId))
    if (known === undefined || known.accountId !== account.id || known.direction !== 'out') return
    store.transaction(() => {
      const now = channels.find(channelId)!
      this.raise(now, cumulative)
      if (cumulative > now.held) channels.update(channelId, { held: cumulative, signature })
      if (credited > now.acked) channels.update(channelId, { acked: credited })
      orders.settleUpTo(channelId, credited)
    })
  }

  /** A channel of ours that the books do not know. */
  async #adopt(account: AccountRecord, peer: PeerRecord, channelId: Hex): Promise<ChannelRecord | undefined> {
    const { chain, channels, claimKey, contract, funding, settings, store } = this.#core
    const { final } = await readHeads(chain, settings.finality)
    const [found] = await contract.read([channelId], final.number)
    const isOurs =
      found?.payer === funding.address && found.payee === peer.address && found.signer === claimKey.address
    if (!isOurs || found.token !== account.token) return undefined
    const own = { id: channelId, accountId: account.id, direction: 'out', scale: account.scale } as const
    const channel = recordOf(found, own)
    store.transaction(() => {
      channels.save(channel)
      this.raise(channel, found.claimed)
    })
    return channels.find(channelId)
  }
}

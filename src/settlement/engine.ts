/**
 * The contract between the node and a settlement engine: the part that moves money outside ILP, over one network.
 * The node decides when and how much; the engine moves it, knows what became of it, and tells what came in.
 * `docs/settlement.md` explains the model; `test/compliance/settlement-engine.ts` is the suite that every engine passes.
 *
 * Three rules hold everywhere. What was handed over is stored before the call resolves. Silence is never taken for
 * failure: an outcome that is not known stays open, on both sides, until it is. Good news counts when it is final on the
 * network, bad news at first sight.
 */

/** Money as an exact integer: `amount` units of 10^-`scale` of the asset. Scale 0 to 255 (RFC 38). */
export interface Quantity {
  readonly amount: bigint
  readonly scale: number
}

/** An account of the node whose balance an engine settles. */
export interface EngineAccount {
  /** Unique in the node, URL-safe. */
  readonly id: string
  readonly assetCode: string
  /** Scale of the account's balance in the node. */
  readonly assetScale: number
  /** ILP addresses of this node and of the peer, as far as they are known: both are bound into proofs. */
  readonly ownAddress: string | undefined
  readonly peerAddress: string | undefined
  /** The `settlement.options` section of the account, as configured; the engine checks it. */
  readonly options: Record<string, unknown>
}

/** An order to pay a peer. */
export interface SettlementOrder {
  /** Idempotency key, unique for good: at most 128 characters of `A-Z a-z 0-9 - _ . :`. */
  readonly id: string
  readonly accountId: string
  /** More than nothing, at the scale that {@link SettlementEngine.scaleOf} told. */
  readonly quantity: Quantity
}

/** What an operator says of an order whose end nobody else can tell. */
export interface OrderVerdict {
  /** `paid`: the peer has the money. `not-paid`: it does not, and by this order never will. */
  readonly outcome: 'paid' | 'not-paid'
  /** For whoever reads the books later. */
  readonly reason: string
  /** The operator knows that the order may have been carried out unheard, and has made sure. */
  readonly doubtful: boolean
}

/** Money that came from outside ILP, final on the network. */
export interface IncomingCredit {
  /** From the network itself, so that it can be told again after any crash: e.g. `evm:1:0x…:3`. At most 128 characters. */
  readonly id: string
  /** Undefined when nobody knows who paid: the node books it to SUSPENSE. */
  readonly accountId: string | undefined
  readonly assetCode: string
  readonly quantity: Quantity
  /** Who paid, in the network's terms, for operators. */
  readonly sender: string | undefined
}

/** What a node knows of an account's orders to one engine. */
export interface HostOrders {
  /** Sum of those that the engine told to be settled, at the engine's scale. */
  readonly settled: Quantity
  /** Surely handed over, and their end was not told. Oldest first. */
  readonly open: readonly SettlementOrder[]
  /** Perhaps handed over: they come, or come again, with the same id. Oldest first. */
  readonly offered: readonly SettlementOrder[]
}

/**
 * The node, as an engine sees it. Every call may be repeated and then changes nothing. The node is the book of what was
 * credited and ordered: an engine whose own books may be lost or old asks it before it acts on them.
 */
export interface EngineHost {
  /** Resolves once the credit is booked for good. To be repeated, with the same id, until it does. */
  credit(credit: IncomingCredit): Promise<void>
  /** The order is carried out, finally. To be repeated until it resolves. */
  settled(orderId: string): Promise<void>
  /** The order was not carried out and never will be. To be repeated until it resolves. */
  refused(orderId: string, reason: string): Promise<void>
  /**
   * Sends a message to the account's peer and resolves with its answer.
   * @throws PeerMessageError when the peer refused it, or its answer did not come: it may have been heard all the same
   */
  send(accountId: string, message: Buffer): Promise<Buffer>
  /**
   * The sum of all credits of this engine whose ids begin with `prefix`, those in SUSPENSE too. Changes nothing.
   * @throws Error when it cannot be told now: ask again later
   */
  credited(prefix: string): Promise<Quantity>
  /**
   * What the node knows of the account's orders to this engine, at one moment. Changes nothing.
   * @throws Error when it cannot be told now: ask again later
   */
  orders(accountId: string): Promise<HostOrders>
}

export type ChannelState = 'opening' | 'open' | 'closing' | 'closed' | 'disputed'

/** A payment channel, for operators. Amounts in units of the network's token. */
export interface ChannelView {
  readonly id: string
  readonly accountId: string
  /** `out`: we pay; `in`: we are paid. */
  readonly direction: 'in' | 'out'
  readonly state: ChannelState
  readonly token: string
  readonly tokenScale: number
  /** Put in by the payer, so far. */
  readonly deposit: bigint
  /** Paid out to the payee on the network, so far. */
  readonly claimed: bigint
  /** Promised by the payer and not claimed yet. */
  readonly unclaimed: bigint
  /** When a closing channel can be emptied by its payer; milliseconds since the epoch. */
  readonly expiresAtMs: number | undefined
}

/** What an engine knows of one account's money, for reconciliation with ledger and journal. */
export interface EngineStatement {
  readonly accountId: string
  /** Sum of all orders carried out. */
  readonly settled: Quantity
  /** Sum of all orders taken and neither carried out nor refused. */
  readonly open: Quantity
  /** Sum of all credits told to the node. */
  readonly credited: Quantity
  /** Differences that the engine itself found between its books and the network; empty when they agree. */
  readonly differences: readonly string[]
}

/**
 * What operators may do with channels. Each resolves once the intent is stored; the channel's state shows the rest. Each
 * throws a RangeError, with a message for operators, when channel, account or limits do not allow it, and then has changed
 * nothing; a PeerMessageError when the peer had to be asked first and gave no good answer.
 */
export interface ChannelOperations {
  open(accountId: string, deposit: bigint): Promise<ChannelView>
  topUp(channelId: string, amount: bigint): Promise<ChannelView>
  claim(channelId: string): Promise<ChannelView>
  close(channelId: string): Promise<ChannelView>
}

export interface SettlementEngine {
  /** The method in metrics and journals: `evm`, `xrp`, `lightning`. */
  readonly name: string
  /**
   * Checks that it is on the right network, takes its keys for itself alone and takes up what is unfinished.
   * @throws EngineConfigError when it must not run: wrong network, foreign contract, key in use
   */
  start(): Promise<void>
  /** Stops within a bounded time; what is under way is taken up by the next start. Idempotent. */
  stop(): Promise<void>
  /** One cheap round trip to the network. Rejects when it cannot be used. */
  probe(signal: AbortSignal): Promise<void>
  /**
   * Why money does not move now although the network may answer `probe`, in words for operators, who must see to it;
   * undefined: all is well. Costs no round trip. Absent in engines that know of no such state.
   */
  trouble?(): string | undefined
  /**
   * Ends a halt that `trouble` tells of, by the word of an operator who has removed its cause. Absent in engines that
   * never halt.
   * @throws ResumeRefusedError when there is nothing to resume
   * @throws EngineUnavailableError when the network does not show that it is safe now: repeat it later
   */
  resume?(): Promise<void>

  /**
   * Serves the account from now on. Idempotent.
   * @throws EngineConfigError for options that cannot work
   */
  openAccount(account: EngineAccount): Promise<void>
  /** No new orders or messages for it; what is open is carried out to its end. */
  closeAccount(accountId: string): Promise<void>
  /** The scale in which the network counts the account's asset: orders come in it. */
  scaleOf(accountId: string): number

  /**
   * Takes an order over: when this resolves it is stored, and exactly one of `settled` and `refused` follows, however
   * long it takes and across any number of restarts. Repeating an order is harmless.
   * @throws OrderConflictError when the id was used with another account or amount
   * @throws EngineUnavailableError when it is not known whether the order was stored: repeat it
   */
  settle(order: SettlementOrder): Promise<void>
  /**
   * Ends an order by the word of an operator, who has looked up where the money moves what became of it. When this
   * resolves it is stored: the engine never carries the order out from then on, even if its books were lost and it did
   * not know it, and tells the node its end like any other. Absent in engines that always find out themselves.
   * @throws VerdictRefusedError when the engine knows better, or the operator has not said what it takes
   * @throws OrderConflictError when the id was used with another account or amount
   */
  abandon?(order: SettlementOrder, verdict: OrderVerdict): Promise<void>
  /**
   * A message of the account's peer; resolves with the answer.
   * @throws MessageRefusedError when it is not taken: nothing was changed by it
   */
  receive(accountId: string, message: Buffer): Promise<Buffer>

  statement(accountId: string): Promise<EngineStatement>
  channels(): readonly ChannelView[]
  /** Undefined for engines without channels. */
  readonly operations: ChannelOperations | undefined
}

/** The engine must not run as it is configured. `path` points into its options. */
export class EngineConfigError extends Error {
  override readonly name = 'EngineConfigError'
  readonly path: string
  constructor(path: string, message: string) {
    super(message)
    this.path = path
  }
}

/** An id was used before for something else: nothing was changed. */
export class OrderConflictError extends Error {
  override readonly name = 'OrderConflictError'
}

/** An operator's verdict on an order was not taken: nothing was changed. The message says why. */
export class VerdictRefusedError extends Error {
  override readonly name = 'VerdictRefusedError'
}

/** There is nothing that an operator could resume: nothing was changed. The message says what is the matter instead. */
export class ResumeRefusedError extends Error {
  override readonly name = 'ResumeRefusedError'
}

/** The outcome is unknown, or the engine cannot be reached now. Repeat the same call later. */
export class EngineUnavailableError extends Error {
  override readonly name = 'EngineUnavailableError'
}

/** A peer's message was not taken. `code` is stable and goes to the peer; the message is for people. */
export class MessageRefusedError extends Error {
  override readonly name = 'MessageRefusedError'
  readonly code: string
  constructor(code: string, message: string) {
    super(message)
    this.code = code
  }
}

/** A message to a peer got no good answer. `refusal` is the peer's code when it refused; undefined when none came. */
export class PeerMessageError extends Error {
  override readonly name = 'PeerMessageError'
  readonly refusal: string | undefined
  constructor(message: string, refusal?: string) {
    super(message)
    this.refusal = refusal
  }
}

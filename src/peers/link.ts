import type { Clock } from '../lib/clock.ts'
import type { Logger } from '../lib/logger.ts'

/**
 * The contract between the node and a peer plugin. A plugin moves packets to and from peers over one
 * protocol and authenticates them; everything else (checks, prices, balances, expiry) is the node's.
 * `docs/plugin-author-guide.md` tells how to write one; `test/compliance/link.ts` is the suite it must pass.
 *
 * Buffers handed over in a call are valid during that call only: whoever needs the bytes later copies them.
 * Both sides may call back synchronously from inside a call.
 */

/** What became of a Prepare handed to a link. */
export const SendOutcome = {
  /** On its way: exactly one of `reply` or `failed` follows, or nothing (the node keeps the clock). */
  sent: 0,
  /** The peer is not connected: nothing was sent. The node answers T01. */
  unreachable: 1,
  /** The peer reads too slowly and its buffer is full: nothing was sent. The node answers T02. */
  busy: 2,
} as const
export type SendOutcome = (typeof SendOutcome)[keyof typeof SendOutcome]

/** Why no usable reply will come. */
export type SendFailure =
  /** Connection lost or refused, no answer, HTTP 5xx: the node answers T01. The packet's fate at the peer is unknown. */
  | 'unreachable'
  /** The peer answered something that is not an ILP reply: the node answers T00. */
  | 'bad-answer'
  /** The peer refused the request itself (BTP Error F, HTTP 4xx): the node answers F00. */
  | 'refused'

/** The node's ears for one link. Given to the plugin when the link is opened. */
export interface LinkReceiver {
  /**
   * A peer sent an ILP packet as a request. `handle` comes back in `sendReply`; it is a safe integer of the
   * link's choosing that it never uses twice for two open requests, across reconnects too.
   * The bytes are unchecked: the node parses them.
   */
  prepare(handle: number, packet: Buffer, start: number, end: number): void
  /** The peer answered the Prepare that was sent with `token`. The bytes are unchecked. */
  reply(token: number, packet: Buffer, start: number, end: number): void
  /** The Prepare that was sent with `token` will get no reply. `message` is for people, without secrets. */
  failed(token: number, failure: SendFailure, message: string): void
  /** Packets can be sent from now on. Called again after every reconnect. */
  connected(): void
  /** Packets cannot be sent until `connected`. Open handles are void: `sendReply` on them is ignored. */
  disconnected(reason: string): void
  /** The peer broke the protocol; counted per peer and logged at most once per period. */
  protocolError(message: string): void
  /** Legacy plugins only: money arrived by the plugin's own settlement. Decimal string, plugin's units. */
  money?(amount: string): void
}

/** Traffic of a link, for operators. */
export interface LinkStatus {
  connected: boolean
  /** Where the peer is, or where it connects to: host and port or URL without credentials. */
  remote?: string
  /** Milliseconds since the epoch of the last change between connected and disconnected. */
  changedAtMs?: number
  /** Why it is not connected. */
  lastError?: string
}

/** One peer's packet channel. */
export interface Link {
  /** Begins to connect or to accept; does not wait for the peer. */
  start(): Promise<void>
  /** Ends the connection within a bounded time; later calls are ignored. Idempotent. */
  stop(): Promise<void>
  readonly connected: boolean
  /**
   * Sends an ILP Prepare. `token` is an unsigned 32-bit integer that the node uses for one send only (it repeats
   * after about four thousand million sends); the link gives it back with the reply. A protocol that numbers its
   * requests with 32 bits may use it as request id; values from 0xffff0000 up are never given out as tokens and
   * belong to the link. `expiresAtMs` tells the link when it may forget the request.
   */
  sendPrepare(token: number, packet: Buffer, start: number, end: number, expiresAtMs: number): SendOutcome
  /** Answers the request `handle` with a Fulfill or Reject. Ignored when the request is no longer open. */
  sendReply(handle: number, packet: Buffer, start: number, end: number): void
  status(): LinkStatus
  /** Legacy plugins only: settle by the plugin's own means. Decimal string, plugin's units. */
  sendMoney?(amount: string): Promise<void>
}

/** What the node knows about the peer behind a link. */
export interface LinkContext {
  /** The account's id in the configuration: unique, URL-safe. */
  accountId: string
  relation: 'parent' | 'peer' | 'child' | 'local'
  assetCode: string
  assetScale: number
  /** The `link` section of the peer, as configured; the plugin checks it. */
  options: Record<string, unknown>
  receiver: LinkReceiver
}

/** A loaded plugin: shared parts (listener, pools) and a factory of links. */
export interface Plugin {
  /**
   * Opens listeners. Links may have been started before, so that a listener knows every peer from its first connection
   * on. Rejects with a clear error when a port is taken or an option is wrong.
   */
  start(): Promise<void>
  /** Closes listeners and what is left of links within a bounded time. Idempotent. */
  stop(): Promise<void>
  /** Checks `context.options` and makes the link, not started yet. Works before and after `start`. */
  openLink(context: LinkContext): Link
  /** Addresses it listens on, for the start-up message: e.g. `btp+ws://127.0.0.1:7768`. */
  listening(): string[]
}

export interface PluginDeps {
  clock: Clock
  logger: Logger
  /** Uniform in [0, 1); for jitter only. */
  random: () => number
  /** Where relative paths and package names in the options start. Default: the working directory. */
  baseDirectory?: string
}

/** Thrown by `createPlugin` and `openLink` for options that cannot work. `path` points into the options. */
export class LinkConfigError extends Error {
  override readonly name = 'LinkConfigError'
  readonly path: string
  constructor(path: string, message: string) {
    super(message)
    this.path = path
  }
}

/** What the module of a plugin exports: `createPlugin`. `options` is its section under `plugins` in the configuration. */
export interface PluginModule {
  createPlugin(options: Record<string, unknown>, deps: PluginDeps): Plugin
}

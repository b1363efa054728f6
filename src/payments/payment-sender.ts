import { Connection, type DataAndMoneyStream } from 'ilp-protocol-stream'
import type { Clock } from '../lib/clock.ts'
import type { Asset } from '../rates/rate-provider.ts'
import { answerPrepare } from './answer-prepare.ts'
import type { SenderSlot } from './stream-account.ts'
import { within } from './within.ts'

/** Life of each packet. The node may shorten it. */
const PACKET_TIMEOUT_MS = 30_000
/** Time for the last packets' answers after a payment was broken off, beyond their own life. */
const SETTLE_TIMEOUT_MS = PACKET_TIMEOUT_MS + 5_000
/** Time to tell the receiver that the connection ends. */
const GOODBYE_TIMEOUT_MS = 2_000

export interface PaymentSenderOptions {
  slot: SenderSlot
  asset: Asset
  destinationAccount: string
  sharedSecret: Buffer
  /** 1 to 2^64-1, smallest units of the sending account. */
  amount: bigint
  /** Longest time without progress. */
  stallTimeoutMs: number
  /** Longest time in all. */
  deadlineMs: number
  /** Part of the rate found at the start that a packet may lose: 0 up to 1. */
  slippage: number
}

export interface PaymentOutcome {
  completed: boolean
  /** Why it did not complete. */
  message: string | undefined
}

/**
 * Pays a fixed amount of the sender's money over one STREAM connection. `run` once; the figures can be read at any
 * time, before and after.
 */
export class PaymentSender {
  readonly #options: PaymentSenderOptions
  readonly #clock: Clock
  readonly #abort = new AbortController()
  #connection: Connection | undefined
  #error: Error | undefined
  #progressAtMs = 0

  constructor(options: PaymentSenderOptions, deps: { clock: Clock }) {
    this.#options = options
    this.#clock = deps.clock
  }

  /** Taken from the account so far. */
  get sent(): bigint {
    return this.#options.slot.plugin.sent
  }

  /** What the receiver says it got, smallest units of its asset. */
  get delivered(): bigint {
    return BigInt(this.#connection?.totalDelivered ?? 0)
  }

  /** The receiver's asset, once it has told. */
  get destinationAsset(): Asset | undefined {
    const { destinationAssetCode: code, destinationAssetScale: scale } = this.#connection ?? {}
    return code === undefined || scale === undefined ? undefined : { code, scale }
  }

  /** Breaks the payment off; `run` then ends soon, at the latest when the packets under way have expired. */
  cancel(reason: string): void {
    this.#abort.abort(reason)
  }

  /** Resolves when the outcome is final: no packet is under way any more. Never rejects. */
  async run(): Promise<PaymentOutcome> {
    const { slot, deadlineMs } = this.#options
    const watch = this.#watchForStall()
    const deadline = setTimeout(() => this.cancel(`not finished within ${deadlineMs} ms`), deadlineMs)
    try {
      await this.#pay()
    } catch (error) {
      this.#error ??= error as Error
    } finally {
      clearInterval(watch)
      clearTimeout(deadline)
    }
    slot.plugin.drain()
    await this.#sayGoodbye()
    await within(slot.plugin.settled(), SETTLE_TIMEOUT_MS, 'packets without answer').catch(() => undefined)
    slot.plugin.close()
    slot.release()
    return this.#outcome()
  }

  async #pay(): Promise<void> {
    const { slot, asset, amount, destinationAccount, sharedSecret, slippage } = this.#options
    const connection = await Connection.build({
      plugin: slot.plugin,
      sourceAccount: slot.sourceAddress,
      assetCode: asset.code,
      assetScale: asset.scale,
      destinationAccount,
      sharedSecret,
      slippage,
      isServer: false,
      getExpiry: () => new Date(this.#clock.now() + PACKET_TIMEOUT_MS),
    })
    this.#connection = connection
    connection.on('error', (error: Error) => {
      this.#error ??= error
    })
    slot.plugin.registerDataHandler((packet) => answerPrepare(connection, packet, slot.sourceAddress))
    await this.#unlessAborted(connection.connect())
    const stream = connection.createStream()
    stream.on('error', (error: Error) => {
      this.#error ??= error
    })
    const done = this.#allSent(connection, stream)
    stream.setSendMax(amount.toString())
    await this.#unlessAborted(done)
  }

  /** Settles when everything is sent, or when the connection ends. */
  #allSent(connection: Connection, stream: DataAndMoneyStream): Promise<void> {
    return new Promise((resolve, reject) => {
      stream.on('outgoing_money', () => {
        if (this.sent >= this.#options.amount) resolve()
      })
      const ended = () => reject(new Error('the receiver closed the connection'))
      stream.once('close', ended)
      connection.once('close', ended)
    })
  }

  async #unlessAborted<T>(promise: Promise<T>): Promise<T> {
    const { signal } = this.#abort
    const aborted = new Promise<never>((_resolve, reject) => {
      const fail = () => reject(new Error(String(signal.reason)))
      if (signal.aborted) fail()
      else signal.addEventListener('abort', fail, { once: true })
    })
    promise.catch(() => undefined)
    return Promise.race([promise, aborted])
  }

  /** Cancels when neither money nor the receiver moves for too long. */
  #watchForStall(): NodeJS.Timeout {
    const { stallTimeoutMs, slot } = this.#options
    let lastSent = -1n
    return setInterval(
      () => {
        const nowMs = this.#clock.now()
        if (slot.plugin.sent !== lastSent) {
          lastSent = slot.plugin.sent
          this.#progressAtMs = nowMs
        } else if (nowMs - this.#progressAtMs >= stallTimeoutMs) {
          this.cancel(`no progress for ${stallTimeoutMs} ms`)
        }
      },
      Math.max(10, Math.min(1_000, stallTimeoutMs / 4)),
    )
  }

  async #sayGoodbye(): Promise<void> {
    const connection = this.#connection
    if (connection === undefined) return
    const isComplete = this.sent >= this.#options.amount
    const goodbye = isComplete && this.#error === undefined ? connection.end() : connection.destroy()
    await within(goodbye, GOODBYE_TIMEOUT_MS, 'no goodbye').catch(() => undefined)
    this.#options.slot.plugin.close()
    // Ends the timers of a connection that is waiting for its receiver.
    await within(connection.destroy(), GOODBYE_TIMEOUT_MS, 'no goodbye').catch(() => undefined)
  }

  #outcome(): PaymentOutcome {
    const { amount, slot } = this.#options
    const { sent, unknown, lastReject } = slot.plugin
    if (sent >= amount) return { completed: true, message: undefined }
    const reason = this.#abort.signal.aborted ? String(this.#abort.signal.reason) : this.#error?.message
    const parts = [
      `${sent} of ${amount} was sent and ${this.delivered} arrived: ${reason ?? 'the connection ended'}`,
    ]
    if (unknown > 0n) parts.push(`up to ${unknown} more may have been sent, the node gave no answer`)
    if (lastReject !== undefined) parts.push(`last refusal on the way: ${lastReject}`)
    return { completed: false, message: parts.join('; ') }
  }
}

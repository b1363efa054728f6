import { extname } from 'node:path'
import { Worker } from 'node:worker_threads'
import type { Clock } from '../../src/lib/clock.ts'
import type { Logger } from '../../src/lib/logger.ts'
import { type Link, type LinkReceiver, type LinkStatus, SendOutcome } from '../../src/peers/link.ts'
import type { FromWorker, LegacyWorkerData, ToWorker } from './legacy-messages.ts'
import type { LegacyOptions } from './legacy-options.ts'
import { MoneyRequests } from './money-requests.ts'

/** How often deadlines are looked at, milliseconds. */
const SWEEP_MS = 250
/** How long after the expiry of its packet a reply may still come, milliseconds. */
const LATE_REPLY_MS = 1_000
/** How often the thread must show that it is alive, milliseconds. */
const PING_MS = 5_000
/** How long `stop` waits for the plugin to disconnect before its thread is ended, milliseconds. */
const STOP_MS_MAX = 2_000

let lastHandle = 0

export interface LegacyLinkDeps {
  clock: Clock
  logger: Logger
  random: () => number
  receiver: LinkReceiver
  /** file: URL of the plugin's module. */
  moduleUrl: string
  storeFile: string | undefined
  accountId: string
  /** Where a link is kept while it runs. */
  running: Set<LegacyLink>
}

/**
 * One peer over an interledgerjs plugin. The plugin lives in a thread of its own: whatever it does (throws outside any
 * promise, blocks, eats memory, hangs) ends at worst that thread, and a new one is made after a pause.
 */
export class LegacyLink implements Link {
  readonly #options: LegacyOptions
  readonly #deps: LegacyLinkDeps
  readonly #receiver: LinkReceiver
  #worker: Worker | undefined
  #running = false
  #connected = false
  #changedAtMs: number | undefined
  #lastError: string | undefined
  #downSinceMs = 0
  #heardAtMs = 0
  #pingedAtMs = 0
  #restartPauseMs: number
  #restartTimer: NodeJS.Timeout | undefined
  #sweepTimer: NodeJS.Timeout | undefined
  #onStopped: (() => void) | undefined
  /** Sent, and no answer yet: when each may be forgotten, by token. */
  readonly #sent = new Map<number, number>()
  /** Requests of the plugin that await a reply: their numbers in the thread, by handle. */
  readonly #open = new Map<number, number>()
  readonly #money: MoneyRequests

  constructor(options: LegacyOptions, deps: LegacyLinkDeps) {
    this.#options = options
    this.#deps = deps
    this.#receiver = deps.receiver
    this.#restartPauseMs = options.restartMinMs
    this.#money = new MoneyRequests(options.timeoutMs)
  }

  get connected(): boolean {
    return this.#connected
  }

  async start(): Promise<void> {
    if (this.#running) return
    this.#running = true
    this.#deps.running.add(this)
    this.#sweepTimer = setInterval(() => this.#sweep(), SWEEP_MS)
    this.#sweepTimer.unref()
    this.#spawn()
  }

  async stop(): Promise<void> {
    if (!this.#running) return
    this.#running = false
    this.#deps.running.delete(this)
    clearTimeout(this.#restartTimer)
    clearInterval(this.#sweepTimer)
    const worker = this.#worker
    if (worker !== undefined) {
      const stopped = new Promise<void>((resolve) => {
        this.#onStopped = resolve
      })
      this.#post({ type: 'stop' })
      let timer: NodeJS.Timeout | undefined
      const timeout = new Promise<void>((resolve) => {
        timer = setTimeout(resolve, STOP_MS_MAX)
      })
      await Promise.race([stopped, timeout])
      clearTimeout(timer)
      this.#worker = undefined
      await worker.terminate()
    }
    this.#setDown('the link was stopped')
  }

  sendPrepare(token: number, packet: Buffer, start: number, end: number, expiresAtMs: number): SendOutcome {
    if (!this.#connected || !this.#running) return SendOutcome.unreachable
    if (this.#sent.size >= this.#options.maxOpenRequests) return SendOutcome.busy
    this.#sent.set(token, expiresAtMs + LATE_REPLY_MS)
    const own = new Uint8Array(packet.subarray(start, end))
    this.#post({ type: 'send', token, packet: own }, [own.buffer])
    return SendOutcome.sent
  }

  sendReply(handle: number, packet: Buffer, start: number, end: number): void {
    const id = this.#open.get(handle)
    if (id === undefined) return
    this.#open.delete(handle)
    const own = new Uint8Array(packet.subarray(start, end))
    this.#post({ type: 'reply', id, packet: own }, [own.buffer])
  }

  /** @throws Error when the plugin refuses, or does not answer in time: then the outcome is unknown */
  async sendMoney(amount: string): Promise<void> {
    if (!this.#connected) throw new Error('the plugin is not connected: no money was sent')
    const { id, done } = this.#money.add()
    this.#post({ type: 'sendMoney', id, amount })
    await done
  }

  status(): LinkStatus {
    const status: LinkStatus = { connected: this.#connected }
    if (this.#changedAtMs !== undefined) status.changedAtMs = this.#changedAtMs
    if (!this.#connected && this.#lastError !== undefined) status.lastError = this.#lastError
    return status
  }

  #spawn(): void {
    const workerData: LegacyWorkerData = {
      accountId: this.#deps.accountId,
      moduleUrl: this.#deps.moduleUrl,
      options: this.#options.options,
      storeFile: this.#deps.storeFile,
      timeoutMs: this.#options.timeoutMs,
      maxOpenRequests: this.#options.maxOpenRequests,
    }
    // What old plugins print is for people who set DEBUG; their tokens are in it.
    const quiet = process.env.DEBUG === undefined
    const worker = new Worker(new URL(`./legacy-worker${extname(import.meta.url)}`, import.meta.url), {
      workerData,
      name: `legacy ${this.#deps.accountId}`,
      stdout: quiet,
      stderr: quiet,
      resourceLimits: { maxOldGenerationSizeMb: this.#options.memoryMb },
    })
    worker.stdout?.resume()
    worker.stderr?.resume()
    this.#worker = worker
    this.#downSinceMs = this.#heardAtMs = this.#pingedAtMs = this.#deps.clock.now()
    worker.on('message', (message: FromWorker) => {
      if (this.#worker === worker) this.#onMessage(message)
    })
    worker.on('error', (error: unknown) =>
      this.#onEnd(worker, `the plugin failed: ${error instanceof Error ? error.message : 'unknown error'}`),
    )
    worker.on('exit', () => this.#onEnd(worker, 'the thread of the plugin ended'))
  }

  #onEnd(worker: Worker, reason: string): void {
    if (this.#worker !== worker) return
    this.#worker = undefined
    this.#onStopped?.()
    this.#lastError = reason
    this.#deps.logger.warn('legacy plugin ended', { reason })
    this.#setDown(reason)
    if (!this.#running) return
    const pauseMs = this.#restartPauseMs * (0.5 + this.#deps.random() / 2)
    this.#restartPauseMs = Math.min(this.#restartPauseMs * 2, this.#options.restartMaxMs)
    this.#restartTimer = setTimeout(() => this.#spawn(), pauseMs)
    this.#restartTimer.unref()
  }

  /** Ends the thread by force; a new one comes at once or after a pause. */
  #replace(reason: string, atOnce: boolean): void {
    const worker = this.#worker!
    if (!atOnce) this.#onEnd(worker, reason)
    else {
      this.#worker = undefined
      this.#lastError = reason
      this.#setDown(reason)
    }
    worker.terminate().then(
      () => {
        if (atOnce && this.#running && this.#worker === undefined) this.#spawn()
      },
      () => undefined,
    )
  }

  #onMessage(message: FromWorker): void {
    this.#heardAtMs = this.#deps.clock.now()
    switch (message.type) {
      case 'up':
        this.#setUp()
        break
      case 'down':
        this.#lastError = message.reason
        this.#setDown(message.reason)
        break
      case 'prepare':
        this.#onPrepare(message.id, message.packet)
        break
      case 'reply':
        if (!this.#sent.delete(message.token)) break
        this.#receiver.reply(message.token, bufferOf(message.packet), 0, message.packet.length)
        break
      case 'failed':
        if (!this.#sent.delete(message.token)) break
        this.#receiver.failed(message.token, message.failure, message.message)
        break
      case 'money':
        this.#receiver.money?.(message.amount)
        break
      case 'moneySent':
        this.#money.settle(message.id, message.error)
        break
      case 'protocolError':
        this.#receiver.protocolError(message.message)
        break
      case 'log':
        this.#deps.logger[message.level]('legacy plugin says', { text: message.text })
        break
      case 'pong':
        break
      case 'stopped':
        this.#onStopped?.()
        break
    }
  }

  #onPrepare(id: number, packet: Uint8Array): void {
    if (!this.#running) return
    lastHandle += 1
    this.#open.set(lastHandle, id)
    this.#receiver.prepare(lastHandle, bufferOf(packet), 0, packet.length)
  }

  #setUp(): void {
    if (this.#connected || !this.#running) return
    this.#connected = true
    this.#restartPauseMs = this.#options.restartMinMs
    this.#lastError = undefined
    this.#changedAtMs = this.#deps.clock.now()
    this.#receiver.connected()
  }

  #setDown(reason: string): void {
    this.#open.clear()
    const lost = [...this.#sent.keys()]
    this.#sent.clear()
    this.#money.failAll(`${reason}: whether money was sent is unknown`)
    if (!this.#connected) return
    this.#connected = false
    this.#changedAtMs = this.#downSinceMs = this.#deps.clock.now()
    for (const token of lost) this.#receiver.failed(token, 'unreachable', reason)
    this.#receiver.disconnected(reason)
  }

  #post(message: ToWorker, transfer: ArrayBuffer[] = []): void {
    this.#worker?.postMessage(message, transfer)
  }

  #sweep(): void {
    const nowMs = this.#deps.clock.now()
    for (const [token, forgetAtMs] of this.#sent) {
      if (nowMs < forgetAtMs) continue
      this.#sent.delete(token)
      this.#receiver.failed(token, 'unreachable', 'the plugin did not answer before the packet expired')
    }
    if (this.#worker === undefined) return
    const { connectTimeoutMs, timeoutMs } = this.#options
    if (nowMs - this.#heardAtMs > PING_MS + timeoutMs) {
      this.#replace('the plugin blocks its thread', false)
      return
    }
    if (!this.#connected && connectTimeoutMs > 0 && nowMs - this.#downSinceMs > connectTimeoutMs) {
      this.#replace('the plugin did not connect in time', true)
      return
    }
    if (nowMs - this.#pingedAtMs < PING_MS) return
    this.#pingedAtMs = nowMs
    this.#post({ type: 'ping' })
  }
}

function bufferOf(packet: Uint8Array): Buffer {
  return Buffer.from(packet.buffer, packet.byteOffset, packet.length)
}

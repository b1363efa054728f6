import { Errors, errorToReject, type IlpErrorClass } from 'ilp-packet'
import { PACKET_LENGTH_MAX } from '../../src/ilp/packet-view.ts'
import { checkInstance, findPluginClass, type InterledgerjsPlugin } from './interledgerjs-plugin.ts'
import type { FromWorker, LegacyWorkerData, ToWorker } from './legacy-messages.ts'
import { createPluginLog } from './plugin-log.ts'
import { openPluginStore } from './plugin-store.ts'

/** Events of the plugin are looked at together after this pause, so that a flood of them costs little. Milliseconds. */
const EVENT_PAUSE_MS = 50
/** How often `isConnected` is asked even without events: some plugins forget to emit them. Milliseconds. */
const POLL_MS = 1_000
/** Characters of a plugin's error text that are passed on. */
const ERROR_LENGTH_MAX = 200
/** The longest a node holds a packet, and a little more, milliseconds. */
const HOLD_MAX_MS = 330_000
const AMOUNT = /^\d{1,39}$/
const KNOWN_CODES = new Set<string>(Object.values(Errors.codes))

interface PendingReply {
  resolve: (packet: Buffer) => void
  reject: (error: Error) => void
  sinceMs: number
}

/** Runs one interledgerjs plugin inside its thread and speaks for it with the link. */
export class PluginHost {
  readonly #data: LegacyWorkerData
  readonly #post: (message: FromWorker, transfer?: ArrayBuffer[]) => void
  readonly #pending = new Map<number, PendingReply>()
  #plugin: InterledgerjsPlugin | undefined
  #nextId = 1
  #connected = false
  #ready = false
  #complainedAtMs = 0
  #eventTimer: NodeJS.Timeout | undefined

  constructor(data: LegacyWorkerData, post: (message: FromWorker, transfer?: ArrayBuffer[]) => void) {
    this.#data = data
    this.#post = post
  }

  /** Makes the plugin and begins to connect it. Throws what the plugin throws: the thread ends, and the link restarts it. */
  async start(): Promise<void> {
    const { moduleUrl, options, storeFile } = this.#data
    const module = (await import(moduleUrl)) as Record<string, unknown>
    const Plugin = findPluginClass(module)
    const store = openPluginStore(storeFile)
    const emit = (level: 'error' | 'warn' | 'info', text: string): void =>
      this.#post({ type: 'log', level, text })
    const log = createPluginLog(options, emit, Date.now)
    const plugin = checkInstance(new Plugin({ _store: store, _log: log, ...options }, { store, log }))
    this.#plugin = plugin
    plugin.registerDataHandler((data) => this.#onData(data))
    plugin.registerMoneyHandler?.((amount) => this.#onMoney(amount))
    for (const event of ['connect', 'disconnect', 'error']) plugin.on?.(event, () => this.#onEvent())
    setInterval(() => this.#poll(), POLL_MS)
    await plugin.connect({})
    this.#ready = true
    this.#checkConnected()
  }

  /** The plugin left a rejected promise unhandled. */
  complain(reason: unknown): void {
    const now = Date.now()
    if (now - this.#complainedAtMs < POLL_MS) return
    this.#complainedAtMs = now
    this.#post({ type: 'protocolError', message: `unhandled rejection in the plugin: ${textOf(reason)}` })
  }

  async receive(message: ToWorker): Promise<void> {
    switch (message.type) {
      case 'send':
        await this.#send(message.token, message.packet)
        break
      case 'reply':
        this.#pending.get(message.id)?.resolve(Buffer.from(message.packet.buffer))
        this.#pending.delete(message.id)
        break
      case 'sendMoney':
        await this.#sendMoney(message.id, message.amount)
        break
      case 'ping':
        this.#post({ type: 'pong' })
        break
      case 'stop':
        await this.#stop()
        break
    }
  }

  async #send(token: number, packet: Uint8Array): Promise<void> {
    try {
      const answer: unknown = await this.#plugin!.sendData(Buffer.from(packet.buffer))
      if (!(answer instanceof Uint8Array) || answer.length === 0 || answer.length > PACKET_LENGTH_MAX) {
        const message = 'the plugin answered something that is no packet'
        this.#post({ type: 'failed', token, failure: 'bad-answer', message })
        return
      }
      this.#postReply(token, answer)
    } catch (error) {
      const reject = rejectOf(error)
      if (reject !== undefined) this.#postReply(token, reject)
      else this.#post({ type: 'failed', token, failure: 'unreachable', message: textOf(error) })
    }
  }

  #postReply(token: number, answer: Uint8Array): void {
    const packet = new Uint8Array(answer)
    this.#post({ type: 'reply', token, packet }, [packet.buffer])
  }

  async #sendMoney(id: number, amount: string): Promise<void> {
    try {
      if (this.#plugin?.sendMoney === undefined) throw new Error('the plugin cannot send money')
      await this.#plugin.sendMoney(amount)
      this.#post({ type: 'moneySent', id, error: undefined })
    } catch (error) {
      this.#post({ type: 'moneySent', id, error: textOf(error) })
    }
  }

  async #onData(data: unknown): Promise<Buffer> {
    if (!(data instanceof Uint8Array) || data.length === 0 || data.length > PACKET_LENGTH_MAX) {
      this.#post({ type: 'protocolError', message: 'the plugin handed over something that is no packet' })
      throw new Errors.BadRequestError('not a packet')
    }
    if (this.#pending.size >= this.#data.maxOpenRequests)
      throw new Errors.ConnectorBusyError('too many packets await a reply')
    const id = this.#nextId++
    const packet = new Uint8Array(data)
    return new Promise<Buffer>((resolve, reject) => {
      this.#pending.set(id, { resolve, reject, sinceMs: Date.now() })
      this.#post({ type: 'prepare', id, packet }, [packet.buffer])
    })
  }

  async #onMoney(amount: unknown): Promise<void> {
    const text = String(amount)
    if (!AMOUNT.test(text)) {
      this.#post({ type: 'protocolError', message: 'the plugin told of money that is no whole number' })
      throw new Error('the amount must be a whole number')
    }
    this.#post({ type: 'money', amount: text })
  }

  #onEvent(): void {
    this.#eventTimer ??= setTimeout(() => {
      this.#eventTimer = undefined
      this.#checkConnected()
    }, EVENT_PAUSE_MS)
  }

  #poll(): void {
    this.#checkConnected()
    const overdueMs = Date.now() - HOLD_MAX_MS
    for (const [id, pending] of this.#pending) {
      if (pending.sinceMs > overdueMs) break
      this.#pending.delete(id)
      pending.reject(new Errors.TransferTimedOutError('no reply was found in time'))
    }
  }

  #checkConnected(): void {
    if (!this.#ready) return
    const connected = this.#plugin?.isConnected() === true
    if (connected === this.#connected) return
    this.#connected = connected
    this.#post(connected ? { type: 'up' } : { type: 'down', reason: 'the plugin disconnected' })
  }

  async #stop(): Promise<void> {
    try {
      this.#plugin?.deregisterDataHandler()
      this.#plugin?.deregisterMoneyHandler?.()
      await this.#plugin?.disconnect()
    } catch {
      // It is ended anyway.
    }
    this.#post({ type: 'stopped' })
  }
}

/** The Reject that an error of a plugin stands for, when it carries an ILP error code. */
function rejectOf(error: unknown): Buffer | undefined {
  const { ilpErrorCode, ilpErrorData } = (error ?? {}) as Partial<IlpErrorClass>
  if (typeof ilpErrorCode !== 'string' || !KNOWN_CODES.has(ilpErrorCode)) return undefined
  try {
    const data = ilpErrorData instanceof Uint8Array ? Buffer.from(ilpErrorData) : Buffer.alloc(0)
    const reject = errorToReject('', { ilpErrorCode, ilpErrorData: data, message: textOf(error) })
    return reject.length <= PACKET_LENGTH_MAX ? reject : undefined
  } catch {
    return undefined
  }
}

function textOf(error: unknown): string {
  const text = error instanceof Error ? error.message : typeof error === 'string' ? error : 'unknown error'
  return text.slice(0, ERROR_LENGTH_MAX)
}

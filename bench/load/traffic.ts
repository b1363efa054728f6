import { setTimeout as delay } from 'node:timers/promises'
import { CpuUsage, residentBytes } from './cpu-usage.ts'
import { IN_FLIGHT_MAX, InFlight, NO_TAG } from './in-flight.ts'
import { LatencyHistogram } from './latency-histogram.ts'
import type { Window, WindowResult, Wire, WireEvents } from './load.ts'
import { Metronome } from './metronome.ts'
import { Answer, Packets } from './packets.ts'

/** An answer may come so long after the expiry before the packet counts as lost. Milliseconds. */
export const ANSWER_GRACE_MS = 2_000
/** How often expired packets are looked for, and how often the end of a window is. Milliseconds. */
const SWEEP_MS = 250
/** How long packets of an open loop are not even made once the wire has taken no more. Milliseconds. */
const REFUSED_PAUSE_MS = 1
const DRAIN_POLL_MS = 2
/**
 * The first half of the warm-up of an open loop is a closed one with so many packets in flight: code that is not compiled
 * yet would else be left with a backlog, and the measurement would begin with it.
 */
const WARM_UP_IN_FLIGHT = 64

/** One packet needs this many: what pays and is paid. */
interface Accounts {
  /** One address per payee, the prefix of its destinations. */
  addresses: readonly string[]
  /** See `PeerEnd.addressDigits`; of the first payee, for all. */
  addressDigits?: number | undefined
  amount: number
  deliveredAmount: number
}

/**
 * Payers and payees of a load: offers packets at the pace of a window, answers those that arrive, verifies and counts.
 * One window at a time.
 */
export class Traffic implements WireEvents {
  readonly #accounts: Accounts
  readonly #wire: Wire
  readonly #inFlight = new InFlight()
  readonly #latencies = new LatencyHistogram()
  readonly #sentByPayer: Float64Array
  readonly #fulfilledByPayer: Float64Array
  readonly #everFulfilledByPayer: Float64Array
  /** A payer whose wire took no more offers nothing until then, on the clock of `performance.now()`. */
  readonly #refusedUntil: Float64Array
  #failed = new Map<string, number>()
  #packets: Packets | undefined
  #counter = 0
  #payerInTurn = 0
  #expiresInMs = 0
  /** Packets still to be offered in a closed loop, for which there was no room or no link. */
  #owed = 0
  #isClosedLoop = false
  /** Milliseconds between packets of an open loop, and when the next one is due. */
  #stepMs = 0
  #nextDueAt = Number.POSITIVE_INFINITY
  /** Packets due from here on, and before the end, are measured. */
  #measureFrom = Number.POSITIVE_INFINITY
  #measureUntil = Number.POSITIVE_INFINITY
  #isMeasuring = false

  /** @param createWire is given this object as its ears */
  constructor(accounts: Accounts, createWire: (events: WireEvents) => Wire) {
    this.#accounts = accounts
    this.#sentByPayer = new Float64Array(accounts.addresses.length)
    this.#fulfilledByPayer = new Float64Array(accounts.addresses.length)
    this.#everFulfilledByPayer = new Float64Array(accounts.addresses.length)
    this.#refusedUntil = new Float64Array(accounts.addresses.length)
    this.#wire = createWire(this)
  }

  connect(): Promise<void> {
    return this.#wire.connect()
  }

  close(): Promise<void> {
    return this.#wire.close()
  }

  /** What was wrong with the first packet that a payee did not take for its own; empty when all were right. */
  get firstFault(): string {
    return this.#packets?.firstFault ?? ''
  }

  /** Runs one window; resolves once every packet has its answer or is given up. */
  async run(window: Window): Promise<WindowResult> {
    this.#reset(window)
    const beat = () => this.#offerDue(performance.now())
    const metronome = window.pace.kind === 'open' ? new Metronome(beat) : undefined
    const sweeper = setInterval(() => this.#sweep(), SWEEP_MS)
    await this.#warmUp(window)
    const startAt = performance.now()
    this.#measureFrom = startAt
    this.#measureUntil = startAt + window.measureMs
    this.#isMeasuring = true
    const connector = new CpuUsage(window.pids)
    const load = process.cpuUsage()
    await delay(window.measureMs)
    this.#offerDue(this.#measureUntil)
    const endAt = performance.now()
    this.#isMeasuring = false
    const cpu = process.cpuUsage(load)
    const connectorCpuUs = connector.elapsedUs()
    const connectorRssBytes = residentBytes(window.pids)
    this.#stopOffering()
    await metronome?.stop()
    while (this.#inFlight.size > 0) await delay(DRAIN_POLL_MS)
    clearInterval(sweeper)
    return {
      seconds: (endAt - startAt) / 1000,
      fulfilled: sum(this.#fulfilledByPayer),
      failed: Object.fromEntries(this.#failed),
      sent: sum(this.#sentByPayer),
      fulfilledByPayer: [...this.#fulfilledByPayer],
      sentByPayer: [...this.#sentByPayer],
      everFulfilledByPayer: [...this.#everFulfilledByPayer],
      latencyMs: {
        p50: this.#latencies.quantileMs(0.5),
        p99: this.#latencies.quantileMs(0.99),
        p999: this.#latencies.quantileMs(0.999),
        max: this.#latencies.maxMs,
      },
      connectorCpuUs,
      loadCpuUs: cpu.user + cpu.system,
      connectorRssBytes,
    }
  }

  prepare(payee: number, packet: Buffer, start: number, end: number): Buffer {
    return this.#packets!.respond(payee, packet, start, end, Date.now())
  }

  answer(payer: number, tag: number, packet: Buffer, start: number, end: number): void {
    // Given up long ago, and counted then.
    if (!this.#inFlight.has(tag, payer)) return
    const { conditions } = this.#inFlight
    const dueAt = this.#inFlight.dueAt(tag)
    const outcome = this.#packets!.checkAnswer(
      packet,
      start,
      end,
      conditions,
      this.#inFlight.conditionAt(tag),
    )
    this.#inFlight.free(tag)
    const now = performance.now()
    if (outcome === Answer.fulfilled) this.#onFulfilled(payer, now - dueAt, dueAt)
    else if (outcome === Answer.wrong) this.#countFailure('wrong')
    else if (this.#isMeasuring) this.#countFailure(this.#packets!.rejectCode(packet, start, end))
    if (this.#isClosedLoop) this.#offer(now)
    else if (now >= this.#nextDueAt) this.#offerDue(now)
  }

  failed(payer: number, tag: number): void {
    if (this.#inFlight.has(tag, payer)) this.#giveUp(tag)
  }

  #onFulfilled(payer: number, latencyMs: number, dueAt: number): void {
    this.#everFulfilledByPayer[payer] = this.#everFulfilledByPayer[payer]! + 1
    if (this.#isMeasuring) this.#fulfilledByPayer[payer] = this.#fulfilledByPayer[payer]! + 1
    if (this.#isMeasured(dueAt)) this.#latencies.add(latencyMs)
  }

  /** The answer to a packet that was due in the measurement counts for its latency, however late it comes. */
  #isMeasured(dueAt: number): boolean {
    return dueAt >= this.#measureFrom && dueAt < this.#measureUntil
  }

  #reset(window: Window): void {
    this.#packets = new Packets({ ...this.#accounts, dataBytes: window.dataBytes })
    this.#expiresInMs = window.expiresInMs
    this.#latencies.clear()
    this.#sentByPayer.fill(0)
    this.#fulfilledByPayer.fill(0)
    this.#failed = new Map()
    this.#measureFrom = Number.POSITIVE_INFINITY
    this.#measureUntil = Number.POSITIVE_INFINITY
  }

  /** Offers packets at the pace of the window; resolves at the end of the warm-up. */
  async #warmUp({ pace, warmUpMs }: Window): Promise<void> {
    if (pace.kind === 'closed') {
      this.#beginClosedLoop(pace.inFlight)
      return await delay(warmUpMs)
    }
    this.#beginClosedLoop(WARM_UP_IN_FLIGHT)
    await delay(warmUpMs / 2)
    this.#stopOffering()
    this.#stepMs = 1000 / pace.packetsPerSecond
    this.#nextDueAt = performance.now()
    await delay(warmUpMs / 2)
  }

  #beginClosedLoop(inFlight: number): void {
    if (inFlight > IN_FLIGHT_MAX) throw new RangeError(`at most ${IN_FLIGHT_MAX} packets can be in flight`)
    this.#isClosedLoop = true
    const now = performance.now()
    for (let i = 0; i < inFlight; i++) this.#offer(now)
  }

  #stopOffering(): void {
    this.#isClosedLoop = false
    this.#owed = 0
    this.#nextDueAt = Number.POSITIVE_INFINITY
  }

  /** Offers every packet of an open loop that was due before `until`, however late it is by now. */
  #offerDue(until: number): void {
    while (this.#nextDueAt < until) {
      const dueAt = this.#nextDueAt
      this.#nextDueAt = dueAt + this.#stepMs
      this.#offer(dueAt)
    }
  }

  #offer(dueAt: number): void {
    const payer = this.#payerInTurn
    this.#payerInTurn = payer + 1 === this.#sentByPayer.length ? 0 : payer + 1
    // In a closed loop answers make packets: both are counted until the measurement ends, however late its timer is.
    const isMeasured = this.#isClosedLoop ? this.#isMeasuring : this.#isMeasured(dueAt)
    if (isMeasured) this.#sentByPayer[payer] = this.#sentByPayer[payer]! + 1
    if (!this.#isClosedLoop && dueAt < this.#refusedUntil[payer]!) {
      if (isMeasured) this.#countFailure('busy')
      return
    }
    const expiresAtMs = Date.now() + this.#expiresInMs
    const tag = this.#inFlight.take(payer, dueAt, expiresAtMs)
    if (tag === NO_TAG) {
      if (isMeasured) this.#countFailure('unsent')
      return
    }
    const { conditions } = this.#inFlight
    const conditionAt = this.#inFlight.conditionAt(tag)
    const packet = this.#packets!.prepare(payer, this.#counter++, expiresAtMs, conditions, conditionAt)
    if (this.#wire.send(payer, tag, packet, 0, packet.length, expiresAtMs)) return
    this.#refusedUntil[payer] = performance.now() + REFUSED_PAUSE_MS
    this.#giveUp(tag, 'busy')
  }

  #sweep(): void {
    this.#inFlight.forEachExpired(Date.now() - ANSWER_GRACE_MS, (tag) => this.#giveUp(tag))
    // Not at once: a link that takes nothing would be asked without end.
    const owed = this.#owed
    this.#owed = 0
    for (let i = 0; i < owed; i++) this.#offer(performance.now())
  }

  #giveUp(tag: number, kind: 'timeout' | 'busy' = 'timeout'): void {
    if (this.#isMeasured(this.#inFlight.dueAt(tag))) this.#countFailure(kind)
    this.#inFlight.free(tag)
    if (this.#isClosedLoop) this.#owed++
  }

  #countFailure(kind: string): void {
    this.#failed.set(kind, (this.#failed.get(kind) ?? 0) + 1)
  }
}

function sum(values: Float64Array): number {
  return values.reduce((total, value) => total + value, 0)
}

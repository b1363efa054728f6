import { setTimeout as delay } from 'node:timers/promises'
import { createPlugin } from '../../plugins/btp/plugin.ts'
import { encodeReject } from '../../src/ilp/encode-packet.ts'
import { systemClock } from '../../src/lib/clock.ts'
import { silentLogger } from '../../src/lib/logger.ts'
import { type Link, type LinkReceiver, SendOutcome } from '../../src/peers/link.ts'
import type { Ends, PeerEnd } from '../subjects/subject.ts'
import type { Wire, WireEvents } from './load.ts'

/** Of all links together. */
const CONNECT_DEADLINE_MS = 20_000
const POLL_MS = 5
/** Faults told on standard error; what follows them is more of the same. */
const FAULTS_TOLD_MAX = 10
/** A payer sells nothing: what comes to it is about routes or addresses. */
const NOT_A_PAYEE = encodeReject('F02', '', 'this account only pays')

/** Payers and payees over BTP: clients of the connector's server, each with a connection of its own. */
export class BtpWire implements Wire {
  readonly #plugin = createPlugin({}, { clock: systemClock, logger: silentLogger, random: Math.random })
  readonly #events: WireEvents
  readonly #payers: Link[]
  readonly #payees: Link[]
  readonly #faultsTold = new Set<string>()
  #isClosing = false

  constructor({ payers, payees }: Pick<Ends, 'payers' | 'payees'>, events: WireEvents) {
    this.#events = events
    this.#payers = payers.map((end, index) => this.#openPayer(end, index))
    this.#payees = payees.map((end, index) => this.#openPayee(end, index))
  }

  async connect(): Promise<void> {
    const links = [...this.#payers, ...this.#payees]
    await Promise.all(links.map((link) => link.start()))
    const deadline = performance.now() + CONNECT_DEADLINE_MS
    for (;;) {
      const missing = links.find((link) => !link.connected)
      if (missing === undefined) return
      if (performance.now() > deadline) {
        const { remote, lastError } = missing.status()
        throw new Error(`no BTP connection to ${remote}: ${lastError}`)
      }
      await delay(POLL_MS)
    }
  }

  send(payer: number, tag: number, packet: Buffer, start: number, end: number, expiresAtMs: number): boolean {
    return this.#payers[payer]!.sendPrepare(tag, packet, start, end, expiresAtMs) === SendOutcome.sent
  }

  async close(): Promise<void> {
    this.#isClosing = true
    await this.#plugin.stop()
  }

  #openPayer(end: PeerEnd, index: number): Link {
    const link = this.#open(end, {
      prepare: (handle) => link.sendReply(handle, NOT_A_PAYEE, 0, NOT_A_PAYEE.length),
      reply: (tag, packet, start, stop) => this.#events.answer(index, tag, packet, start, stop),
      failed: (tag, _failure, message) => {
        this.#tell(end, message)
        this.#events.failed(index, tag)
      },
    })
    return link
  }

  #openPayee(end: PeerEnd, index: number): Link {
    const link = this.#open(end, {
      prepare: (handle, packet, start, stop) => {
        const reply = this.#events.prepare(index, packet, start, stop)
        link.sendReply(handle, reply, 0, reply.length)
      },
      reply: () => undefined,
      failed: () => undefined,
    })
    return link
  }

  #open({ id, url, token }: PeerEnd, ears: Pick<LinkReceiver, 'prepare' | 'reply' | 'failed'>): Link {
    return this.#plugin.openLink({
      accountId: id,
      relation: 'parent',
      assetCode: 'USD',
      assetScale: 9,
      options: { mode: 'client', url, token },
      receiver: {
        ...ears,
        connected: () => undefined,
        disconnected: (reason) => this.#tell({ id }, reason),
        protocolError: (message) => this.#tell({ id }, message),
      },
    })
  }

  #tell({ id }: { id: string }, message: string): void {
    const line = `load, account ${id}: ${message}`
    if (this.#isClosing || this.#faultsTold.has(line) || this.#faultsTold.size >= FAULTS_TOLD_MAX) return
    this.#faultsTold.add(line)
    console.error(line)
  }
}

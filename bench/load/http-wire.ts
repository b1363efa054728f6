import { setTimeout as delay } from 'node:timers/promises'
import { waitFor } from '../../test/support/wait-for.ts'
import type { Ends } from '../subjects/subject.ts'
import { HttpPayeeServer } from './http-payee-server.ts'
import { HttpPayer } from './http-payer.ts'
import type { Wire, WireEvents } from './load.ts'

/** How long a connector takes at most to find payees that were not there when it started, milliseconds. */
const SEEN_DEADLINE_MS = 20_000
/** Until a connector has read the answer that tells it that a payee is there, milliseconds. */
const SETTLE_MS = 100

/** Payers and payees over ILP-over-HTTP (RFC 35, synchronous mode), with bearer tokens. */
export class HttpWire implements Wire {
  readonly #payers: HttpPayer[]
  readonly #servers: HttpPayeeServer[]
  readonly #unseen = new Set<number>()

  constructor({ payers, payees }: Pick<Ends, 'payers' | 'payees'>, events: WireEvents) {
    this.#payers = payers.map((end, payer) => new HttpPayer(payer, end, events))
    const pathsByPort = new Map<number, Map<string, number>>()
    for (const [payee, end] of payees.entries()) {
      const { port, pathname } = new URL(end.url)
      const paths = pathsByPort.get(Number(port)) ?? new Map<string, number>()
      pathsByPort.set(Number(port), paths.set(pathname, payee))
      this.#unseen.add(payee)
    }
    const onSeen = (payee: number) => this.#unseen.delete(payee)
    this.#servers = [...pathsByPort].map(([port, paths]) => {
      return new HttpPayeeServer({ port, payees: paths, onSeen }, events)
    })
  }

  /** Opens the payees' servers and waits until the connector has found each of them. */
  async connect(): Promise<void> {
    for (const server of this.#servers) await server.start()
    await waitFor('the connector has found every payee', () => this.#unseen.size === 0, SEEN_DEADLINE_MS)
    await delay(SETTLE_MS)
  }

  /** The expiry is in the packet; over HTTP nothing else needs it. */
  send(payer: number, tag: number, packet: Buffer, start: number, end: number): boolean {
    this.#payers[payer]!.send(tag, packet, start, end)
    return true
  }

  async close(): Promise<void> {
    for (const payer of this.#payers) payer.close()
    await Promise.all(this.#servers.map((server) => server.stop()))
  }
}

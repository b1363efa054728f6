import { setTimeout as delay } from 'node:timers/promises'
import { expect } from 'vitest'
import { expectSoundBooks } from './expect-sound-books.ts'
import { JournalAudit } from './journal-audit.ts'
import { readLedgerJournal } from './ledger-journal.ts'
import type { PacketFlow } from './packet-flow.ts'
import type { TwoAssetNode } from './two-asset-node.ts'

/** A named crash point that is never passed must end the test, not hang it. */
const DEATH_DEADLINE_MS = 20_000
const NODE_MAJOR_MIN = 24

/** Rounds on one data directory: start, check the books, load, die, check the packets. */
export class KillRounds {
  readonly audit: JournalAudit
  readonly flows: readonly PacketFlow[]
  readonly startMs: number[] = []
  rounds = 0
  readonly #scene: TwoAssetNode

  constructor(scene: TwoAssetNode) {
    // With an older Node the launcher starts another process, and SIGKILL would reach the launcher alone.
    expect(Number(process.versions.node.split('.')[0])).toBeGreaterThanOrEqual(NODE_MAJOR_MIN)
    this.#scene = scene
    this.flows = scene.flows
    this.audit = new JournalAudit(scene.flows)
  }

  /** A started node whose books are those of all rounds before. */
  async start(env: Record<string, string> = {}): Promise<void> {
    const startedAt = performance.now()
    await this.#scene.node.start(env)
    this.startMs.push(performance.now() - startedAt)
    await expectSoundBooks(this.#scene.node, this.audit.sums)
  }

  async load(): Promise<void> {
    await Promise.all(this.flows.map((flow) => flow.connect()))
    for (const flow of this.flows) flow.begin()
  }

  async kill(): Promise<void> {
    this.#scene.node.signal('SIGKILL')
    await this.died()
  }

  /** Waits for the death of the node, then holds its packets against what the peers know. */
  async died(): Promise<void> {
    const { node, dataDirectory } = this.#scene
    const exitCode = await Promise.race([
      node.ended(),
      delay(DEATH_DEADLINE_MS, 'is still alive', { ref: false }),
    ])
    expect(exitCode, `the node was not killed:\n${node.output.slice(-2_000)}`).toBe(null)
    await Promise.all(this.flows.map((flow) => flow.disconnected()))
    this.audit.take(readLedgerJournal(dataDirectory, this.audit.lastId))
    this.rounds++
  }

  /** Packets by what the payer heard; those that nobody answered are not in it. */
  outcomes(): Map<string, number> {
    const counts = new Map<string, number>()
    for (const flow of this.flows) {
      for (const { outcome } of flow.sent.values()) {
        if (outcome !== undefined) counts.set(outcome, (counts.get(outcome) ?? 0) + 1)
      }
    }
    return counts
  }

  /** One line for the log. */
  summary(): string {
    const { booked, lost, doubled, invented, outOfSequence, notRelayed } = this.audit.counts
    const sent = this.flows.reduce((sum, flow) => sum + flow.sent.size, 0)
    const outcomes = [...this.outcomes()].map(([outcome, count]) => `${outcome} ${count}`).join(', ')
    const start = Math.round(this.startMs.toSorted((a, b) => a - b)[this.startMs.length >> 1] ?? 0)
    return (
      `${this.rounds} rounds, ${sent} packets sent (${outcomes}), ${booked} booked; FULFILLs lost ${lost}, ` +
      `doubled ${doubled}, invented ${invented}, out of sequence ${outOfSequence}; booked and not relayed ` +
      `${notRelayed}; median start ${start} ms`
    )
  }
}

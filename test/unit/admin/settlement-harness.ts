import { afterAll, afterEach, beforeAll, beforeEach } from 'vitest'
import type { LedgerAccount } from '../../../src/ledger/ledger.ts'
import { silentLogger } from '../../../src/lib/logger.ts'
import type { ConfiguredEngine } from '../../../src/settlement/engine-start.ts'
import { Reconciliation } from '../../../src/settlement/reconciliation.ts'
import { Settlements } from '../../../src/settlement/settlement-service.ts'
import type { Envelope } from '../../contract/expect-error.ts'
import { type Harness, startHarness } from '../../contract/harness.ts'
import { SettlementRig, TestBooks } from '../settlement/settlement-rig.ts'

/** The admin server over the real settlement of a node, with an engine whose network is the test. */
class SettlementHarness {
  books!: TestBooks
  /** New for every case, as all below. */
  rig!: SettlementRig
  /** We owe it 600. */
  account!: LedgerAccount
  node!: Harness
  /** Those of the configuration. */
  engines!: ConfiguredEngine[]

  /** Asks below `/api/admin`, as an operator with every right. */
  async call<T>(
    method: string,
    path: string,
    init: Parameters<Harness['call']>[2] = {},
  ): Promise<{ status: number; envelope: Envelope; data: T }> {
    const reply = await this.node.call(method, `/api/admin${path}`, init)
    const envelope = (await reply.json()) as Envelope
    return { status: reply.status, envelope, data: envelope.data as T }
  }

  /** The code with which it is refused. */
  async refused(method: string, path: string, body?: unknown): Promise<string | undefined> {
    const { envelope } = await this.call(method, path, body === undefined ? {} : { body })
    return envelope.error?.code
  }

  async begin(): Promise<void> {
    const { books } = this
    this.rig = new SettlementRig(books, { name: books.unique('node') })
    this.account = await books.account(9, 600n)
    await this.rig.start([{ account: this.account }])
    this.node = await startHarness()
    this.engines = [{ name: 'scripted', type: 'test', sinceMs: 1, lastError: undefined }]
    const { coordinator, journal } = this.rig
    const reconciliation = reconciliationOf(this.rig)
    this.node.services.settlements = new Settlements({
      coordinator,
      journal,
      reconciliation,
      engines: () => this.engines,
    })
  }
}

/** Sets the harness up around every case of a test file. */
export function useSettlementHarness(): SettlementHarness {
  const harness = new SettlementHarness()
  beforeAll(async () => {
    harness.books = await TestBooks.open()
  })
  afterAll(async () => await harness.books.close())
  beforeEach(async () => await harness.begin())
  afterEach(async () => {
    await harness.node.stop()
    await harness.rig.stop()
  })
  return harness
}

function reconciliationOf(rig: SettlementRig): Reconciliation {
  const { alarms, clock, coordinator, journal } = rig
  return new Reconciliation(
    { confirmMs: 1, pendingIsHeld: true },
    {
      journal,
      ledger: rig.ledger,
      accounts: () => coordinator.settledAccounts,
      engine: (name) => coordinator.engine(name),
      clock,
      logger: silentLogger,
      alarms,
      difference: () => undefined,
      unchecked: () => undefined,
    },
  )
}

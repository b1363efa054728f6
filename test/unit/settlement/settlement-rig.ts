import { copyFile, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ExclusiveLedger } from '../../../src/ledger/exclusive-ledger.ts'
import type { AccountBalance, LedgerAccount } from '../../../src/ledger/ledger.ts'
import { SqliteStore } from '../../../src/ledger/sqlite/sqlite-store.ts'
import { systemClock } from '../../../src/lib/clock.ts'
import { silentLogger } from '../../../src/lib/logger.ts'
import type { SettlementMetrics } from '../../../src/observability/settlement-metrics.ts'
import { LedgerSuspense } from '../../../src/settlement/ledger-suspense.ts'
import { SettlementAlarms } from '../../../src/settlement/settlement-alarms.ts'
import { SettlementCoordinator } from '../../../src/settlement/settlement-coordinator.ts'
import { SettlementJournal } from '../../../src/settlement/settlement-journal.ts'
import type { SettlementLedger } from '../../../src/settlement/settlement-ledger.ts'
import type { SettlementTerms } from '../../../src/settlement/settlement-terms.ts'
import { Store } from '../../../src/store/store.ts'
import { ScriptedEngine } from '../../support/scripted-engine.ts'
import { CrashSwitch, mortalLedger, mortalStore } from './crash-switch.ts'

export const TERMS: SettlementTerms = {
  engine: 'scripted',
  threshold: 1_000n,
  settleTo: 100n,
  intervalMs: undefined,
  minAmount: 0n,
  maxAmount: undefined,
  paused: false,
}

async function openLedger(directory: string): Promise<ExclusiveLedger> {
  const deps = { clock: systemClock, logger: silentLogger }
  const store = new SqliteStore({ path: join(directory, 'ledger.sqlite'), packetDetailDays: 0 }, deps)
  const onFault = (error: Error): never => {
    throw error
  }
  const ledger = new ExclusiveLedger({ slots: 16 }, { ...deps, store, onFault })
  await ledger.start()
  return ledger
}

/** Books in a real file, shared by the cases of a test file: each case has accounts of its own. */
export class TestBooks {
  readonly directory: string
  #ledger: ExclusiveLedger
  #count = 0

  private constructor(directory: string, ledger: ExclusiveLedger) {
    this.directory = directory
    this.#ledger = ledger
  }

  get ledger(): ExclusiveLedger {
    return this.#ledger
  }

  static async open(): Promise<TestBooks> {
    const directory = await mkdtemp(join(tmpdir(), 'causeway-settlement-'))
    return new TestBooks(directory, await openLedger(directory))
  }

  async close(): Promise<void> {
    await this.ledger.stop()
    await rm(this.directory, { recursive: true, force: true })
  }

  /** The ledger is lost, and a new one begins. */
  async lose(): Promise<void> {
    await this.ledger.stop()
    for (const suffix of ['', '-wal', '-shm']) {
      await rm(join(this.directory, `ledger.sqlite${suffix}`), { force: true })
    }
    this.#ledger = await openLedger(this.directory)
  }

  /** Keeps the ledger as it is now. Accounts have to be opened again, as after every start. */
  async keepCopy(): Promise<void> {
    await this.ledger.stop()
    await copyFile(join(this.directory, 'ledger.sqlite'), join(this.directory, 'ledger.copy'))
    this.#ledger = await openLedger(this.directory)
  }

  async restoreCopy(): Promise<void> {
    await this.ledger.stop()
    for (const suffix of ['-wal', '-shm']) {
      await rm(join(this.directory, `ledger.sqlite${suffix}`), { force: true })
    }
    await copyFile(join(this.directory, 'ledger.copy'), join(this.directory, 'ledger.sqlite'))
    this.#ledger = await openLedger(this.directory)
  }

  /** A name that no case has used. */
  unique(prefix: string): string {
    return `${prefix}-${++this.#count}`
  }

  /** An account that we owe `balance`. */
  async account(assetScale: number, balance: bigint, name = this.unique('account')): Promise<LedgerAccount> {
    const account = await this.ledger.openAccount({
      id: name,
      assetCode: 'XRP',
      assetScale,
      creditLimit: 0n,
      payableLimit: undefined,
    })
    if (balance > 0n) await this.owe(account, balance)
    return account
  }

  /** What we owe the account grows. */
  async owe(account: LedgerAccount, amount: bigint): Promise<void> {
    await this.ledger.settleIn({ id: this.unique('seed'), account, engine: 'seed', amount })
  }

  async booked(account: LedgerAccount): Promise<AccountBalance> {
    return await this.ledger.balance(account)
  }
}

export class FakeClock {
  nowMs = 1_800_000_000_000
  now(): number {
    return this.nowMs
  }
}

/** Counts what was told to the metrics. */
export class CountingMetrics implements SettlementMetrics {
  settledAmounts: bigint[] = []
  failures = 0
  events: string[] = []

  declareMethod(): void {}
  settled({ amount }: { amount: bigint }): void {
    this.settledAmounts.push(amount)
  }
  failed(): void {
    this.failures++
  }
  channels(_method: string, status: string, count: number): void {
    this.events.push(`${status}=${count}`)
  }
  channelFunded(): void {
    this.events.push('funded')
  }
  channelClosed(_method: string, reason: string): void {
    this.events.push(`closed ${reason}`)
  }
  channelDisputed(): void {
    this.events.push('disputed')
  }
}

export interface RigOptions {
  /** Where store and engine keep their files: the same name finds them again. */
  name: string
  engineScale?: number
  clock?: FakeClock
  crash?: CrashSwitch
  handOverDeadlineMs?: number
  ledger?: SettlementLedger
}

/**
 * The ledger as a node sees it that has it for itself. Several rigs share the one of a test file, each with an engine
 * called `scripted`: their money outside is kept apart.
 */
function booksOfOne(ledger: SettlementLedger, name: string): SettlementLedger {
  const own = (engine: string) => `${engine}-of-${name}`
  return {
    get available() {
      return ledger.available
    },
    probe: () => ledger.probe(),
    openAccount: (spec) => ledger.openAccount(spec),
    settleIn: (entry) => ledger.settleIn({ ...entry, engine: own(entry.engine) }),
    holdSettlement: (entry) => ledger.holdSettlement({ ...entry, engine: own(entry.engine) }),
    postSettlement: (id) => ledger.postSettlement(id),
    voidSettlement: (id) => ledger.voidSettlement(id),
    balance: (account) => ledger.balance(account),
    balances: async () =>
      (await ledger.balances()).map((account) => ({
        ...account,
        id: account.id.endsWith(own('')) ? account.id.slice(0, -own('').length) : account.id,
      })),
    history: (query) => {
      const isOutside = query.accountId.startsWith('settlement:')
      return ledger.history({ ...query, accountId: isOutside ? own(query.accountId) : query.accountId })
    },
  }
}

/** A node's settlement with one scripted engine, over real files. */
export class SettlementRig {
  readonly name: string
  readonly clock: FakeClock
  readonly crash: CrashSwitch
  /** As the node sees it. */
  readonly ledger: SettlementLedger
  readonly store: Store
  readonly metrics = new CountingMetrics()
  readonly alarms = new SettlementAlarms(silentLogger)
  readonly journal: SettlementJournal
  readonly engine: ScriptedEngine
  readonly coordinator: SettlementCoordinator

  constructor(books: TestBooks, options: RigOptions) {
    this.name = options.name
    this.clock = options.clock ?? new FakeClock()
    this.crash = options.crash ?? new CrashSwitch()
    this.store = new Store(join(books.directory, `${options.name}.sqlite`))
    this.store.start()
    // Processes die here in simulation only: flushes would cost time and show nothing.
    this.store.database.exec('PRAGMA synchronous = OFF')
    this.ledger = booksOfOne(options.ledger ?? books.ledger, options.name)
    const ledger = mortalLedger(this.ledger, this.crash)
    this.journal = new SettlementJournal({ store: mortalStore(this.store, this.crash), clock: this.clock })
    const { handOverDeadlineMs = 1_000 } = options
    this.coordinator = new SettlementCoordinator(
      { tickMs: 0, handOverDeadlineMs, stopDeadlineMs: 2_000 },
      {
        journal: this.journal,
        ledger,
        suspense: new LedgerSuspense(ledger),
        clock: this.clock,
        logger: silentLogger,
        metrics: this.metrics,
        alarms: this.alarms,
        send: async () => Buffer.alloc(0),
      },
    )
    this.engine = new ScriptedEngine(
      { path: join(books.directory, `${options.name}.engine.json`), scale: options.engineScale ?? 9 },
      { host: this.coordinator.host('scripted'), point: this.crash.point },
    )
  }

  async start(
    accounts: readonly { account: LedgerAccount; terms?: Partial<SettlementTerms> }[],
  ): Promise<void> {
    for (const { account, terms } of accounts) await this.add(account, terms)
    this.coordinator.start()
    await this.engine.start()
    await this.coordinator.addEngine(this.engine)
    await this.run()
  }

  async add(account: LedgerAccount, terms: Partial<SettlementTerms> = {}): Promise<void> {
    await this.coordinator.addAccount({
      account,
      terms: { ...TERMS, ...terms },
      ownAddress: 'test.us',
      peerAddress: `test.${account.id}`,
      options: {},
    })
  }

  /** Lets the coordinator do everything that is due now. */
  async run(): Promise<void> {
    for (let round = 0; round < 3; round++) {
      this.coordinator.tick()
      await this.coordinator.idle()
    }
  }

  /** Time passes. */
  async pass(ms: number): Promise<void> {
    this.clock.nowMs += ms
    await this.run()
  }

  async stop(): Promise<void> {
    await this.coordinator.stop()
    await this.engine.stop()
    this.store.stop()
  }
}

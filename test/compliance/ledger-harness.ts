import { afterEach, beforeEach, expect } from 'vitest'
import type { Ledger, LedgerAccount, LedgerAccountSpec } from '../../src/ledger/ledger.ts'
import { LedgerDriver } from './ledger-driver.ts'

/** What a ledger brings to the compliance suite: one set of books, and ways to open and to hurt them. */
export interface LedgerHarness {
  /** A started ledger with at least 4,096 slots on the harness's books; after `stop` or `crash` on the same books. */
  open(): Promise<Ledger>
  /** Ends the ledger as a crash would: nothing is flushed. */
  crash(ledger: Ledger): Promise<void>
  /** Ends whatever is still open and removes the books. */
  dispose(): Promise<void>
  /** What becomes of a second `open` while the first ledger runs. */
  readonly second: 'refused' | 'shares'
  /** True when packets in flight at a crash may stay reserved for a while (pending transfers of a shared ledger). */
  readonly reservationsOutliveCrash: boolean
  /** Undefined when the backend cannot be disturbed. */
  readonly faults: BackendFaults | undefined
}

/** Ways to disturb the backend. The ledger's deadlines should be short (some 100 ms) for these cases. */
export interface BackendFaults {
  /** From now on calls get no answer and nothing happens. */
  hang(): Promise<void>
  /** From now on calls fail at once with "cannot be reached" and nothing happens. */
  unreachable?: () => Promise<void>
  /** From now on calls take effect, and their answers are lost. */
  loseAnswers?: () => Promise<void>
  /** The next batch is booked in part only before the backend fails, once. */
  bookNextBatchPartly?: () => Promise<void>
  /** Everything works again; calls that hang go on. */
  heal(): Promise<void>
}

/** State of the running test. */
export interface LedgerTest {
  harness: LedgerHarness
  ledger: Ledger
  driver: LedgerDriver
  /** Opens the harness's books (again) and makes them the test's ledger. */
  reopen(): Promise<void>
  /** Opens an account, USD with scale 2 unless said otherwise, without limits unless said otherwise. */
  account(id: string, spec?: Partial<LedgerAccountSpec>): Promise<LedgerAccount>
  /** Booked balance of an account of any kind, as the ledger tells it. */
  booked(id: string, kind?: string): Promise<bigint>
}

/** More than any case spends, where the credit limit is not the point. */
const AMPLE_CREDIT = 2n ** 100n

/** A fresh harness and ledger for each test; the books must balance after each. */
export function useLedger(makeHarness: () => Promise<LedgerHarness>): LedgerTest {
  const test: LedgerTest = {
    harness: undefined as unknown as LedgerHarness,
    ledger: undefined as unknown as Ledger,
    driver: undefined as unknown as LedgerDriver,
    reopen: async () => {
      test.ledger = await test.harness.open()
      test.driver = new LedgerDriver(test.ledger)
    },
    account: async (id, spec = {}) =>
      await test.ledger.openAccount({
        id,
        assetCode: 'USD',
        assetScale: 2,
        creditLimit: AMPLE_CREDIT,
        payableLimit: undefined,
        ...spec,
      }),
    booked: async (id, kind = 'clearing') => {
      const all = await test.ledger.balances()
      return all.find((entry) => entry.id === id && entry.kind === kind)?.balance ?? 0n
    },
  }
  beforeEach(async () => {
    test.harness = await makeHarness()
    await test.reopen()
  })
  afterEach(async () => {
    try {
      await expectBalanced(test.ledger)
    } finally {
      await test.ledger.stop()
      await test.harness.dispose()
    }
  })
  return test
}

/** Debits equal credits in every asset, by the ledger's own check and by its balances. */
export async function expectBalanced(ledger: Ledger): Promise<void> {
  const check = await ledger.selfCheck()
  expect(check.balanced).toBe(true)
  for (const asset of check.assets) expect(asset.debits).toBe(asset.credits)
  const sums = new Map<string, bigint>()
  for (const { assetCode, assetScale, ...account } of await ledger.balances()) {
    const asset = `${assetCode}:${assetScale}`
    const posted = account.creditsPosted - account.debitsPosted
    const pending = account.creditsPending - account.debitsPending
    sums.set(asset, (sums.get(asset) ?? 0n) + posted)
    sums.set(`${asset} pending`, (sums.get(`${asset} pending`) ?? 0n) + pending)
  }
  for (const [asset, sum] of sums) expect(`${asset} ${sum}`).toBe(`${asset} 0`)
}

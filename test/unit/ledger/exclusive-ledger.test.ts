import { describe, expect, it } from 'vitest'
import { ExclusiveLedger, type ExclusiveLedgerOptions } from '../../../src/ledger/exclusive-ledger.ts'
import { type LedgerAccount, ReserveOutcome } from '../../../src/ledger/ledger.ts'
import { LedgerFaultError, LedgerUnavailableError } from '../../../src/ledger/ledger-store.ts'
import { silentLogger } from '../../../src/lib/logger.ts'
import { waitFor } from '../../compliance/wait-for.ts'
import { ScriptedStore, type SeenBatch } from './scripted-store.ts'

interface Scene {
  ledger: ExclusiveLedger
  store: ScriptedStore
  alice: LedgerAccount
  bob: LedgerAccount
  committed: number[]
  faults: Error[]
  /** Reserves and commits one unit in each slot. */
  commit(...slots: number[]): void
  /** The n-th batch, once the store has it. */
  batch(n: number): Promise<SeenBatch>
}

async function scene(options: Partial<ExclusiveLedgerOptions> = {}): Promise<Scene> {
  const store = new ScriptedStore()
  const faults: Error[] = []
  const ledger = new ExclusiveLedger(
    { slots: 64, retryMinMs: 1, retryMaxMs: 4, ...options },
    { store, clock: { now: () => 1_000 }, logger: silentLogger, onFault: (error) => faults.push(error) },
  )
  await ledger.start()
  const spec = { assetCode: 'USD', assetScale: 2, creditLimit: 1_000n, payableLimit: undefined }
  const alice = await ledger.openAccount({ ...spec, id: 'alice' })
  const bob = await ledger.openAccount({ ...spec, id: 'bob' })
  const committed: number[] = []
  ledger.listener = { reserved: () => undefined, committed: (slot) => committed.push(slot) }
  return {
    ledger,
    store,
    alice,
    bob,
    committed,
    faults,
    commit: (...slots) => {
      for (const slot of slots) {
        expect(ledger.reserve(slot, alice, bob, 10, 9)).toBe(ReserveOutcome.reserved)
        ledger.commit(slot)
      }
    },
    batch: async (n) => {
      await waitFor(`batch ${n}`, () => store.batches.length > n)
      return store.batches[n]!
    },
  }
}

describe('group commit', () => {
  it('sends the commits of one turn as one batch, and gathers the next while it is under way', async () => {
    const { commit, batch, store, committed } = await scene()
    commit(3, 1, 2)
    const first = await batch(0)
    expect(first).toMatchObject({ epoch: 7, firstSequence: 0, count: 3, inAmounts: [10n, 10n, 10n] })
    commit(4)
    commit(5)
    await new Promise(setImmediate)
    expect(store.batches).toHaveLength(1)
    expect(committed).toEqual([])
    first.resolve()
    expect(await batch(1)).toMatchObject({ firstSequence: 3, count: 2 })
    expect(committed).toEqual([3, 1, 2])
  })

  it('moves balances when the batch is durable, not before', async () => {
    const { commit, batch, ledger, alice, bob, committed } = await scene()
    commit(0)
    const first = await batch(0)
    expect([alice.balance, alice.reserved, bob.balance, bob.outgoing]).toEqual([0, 10, 0, 9])
    first.resolve()
    await waitFor('the commit', () => committed.length === 1)
    expect([alice.balance, alice.reserved, bob.balance, bob.outgoing]).toEqual([-10, 0, 9, 0])
    expect(ledger.latencyMs).toBeGreaterThanOrEqual(0)
  })

  it('splits what waits into batches of the largest size, in order', async () => {
    const { commit, batch, committed } = await scene({ maxBatchRecords: 4 })
    commit(...Array.from({ length: 10 }, (_, slot) => slot))
    for (let n = 0; n < 3; n++) (await batch(n)).resolve()
    await waitFor('all commits', () => committed.length === 10)
    expect(committed).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
    expect((await batch(1)).firstSequence).toBe(4)
    expect((await batch(2)).count).toBe(2)
  })

  it('frees a slot before it tells so, so that the listener may use it at once', async () => {
    const { ledger, alice, bob, commit, batch } = await scene()
    const outcomes: number[] = []
    ledger.listener.committed = (slot) => outcomes.push(ledger.reserve(slot, alice, bob, 1, 1))
    commit(0, 1)
    ;(await batch(0)).resolve()
    await waitFor('both', () => outcomes.length === 2)
    expect(outcomes).toEqual([ReserveOutcome.reserved, ReserveOutcome.reserved])
  })

  it('tells the other slots though the listener throws on one', async () => {
    const { ledger, commit, batch, committed } = await scene()
    ledger.listener.committed = (slot) => {
      if (slot === 0) throw new Error('listener is broken')
      committed.push(slot)
    }
    commit(0, 1)
    ;(await batch(0)).resolve()
    await waitFor('the other slot', () => committed.length === 1)
    expect(committed).toEqual([1])
  })

  it('tells packets without value at the end of the turn, without the store', async () => {
    const { ledger, alice, bob, committed, store } = await scene()
    ledger.reserve(9, alice, bob, 0, 0)
    ledger.commit(9)
    expect(committed).toEqual([])
    await waitFor('the commit', () => committed.length === 1)
    expect(store.batches).toEqual([])
  })
})

describe('abandon', () => {
  it('puts the compensation into the same batch when the packet has not left yet', async () => {
    const { ledger, commit, batch, alice, committed } = await scene()
    commit(0, 1)
    ledger.abandon(0)
    const first = await batch(0)
    expect(first).toMatchObject({ count: 3, kinds: [0, 1, 0], inAmounts: [10n, 10n, 10n] })
    expect(first.outAmounts).toEqual([9n, 0n, 9n])
    first.resolve()
    await waitFor('both commits', () => committed.length === 2)
    expect(committed).toEqual([0, 1])
    expect(alice.balance).toBe(-10)
  })

  it('sends the compensation in the next batch when the packet was under way', async () => {
    const { ledger, commit, batch, alice } = await scene()
    commit(0, 1)
    const first = await batch(0)
    ledger.abandon(1)
    first.resolve()
    const second = await batch(1)
    expect(second).toMatchObject({ count: 1, kinds: [1], payers: [alice.index], inAmounts: [10n] })
    expect(alice.balance).toBe(-20)
    second.resolve()
    await waitFor('the compensation', () => alice.balance === -10)
  })

  it('never fills a batch so far that a packet and its compensation are torn apart', async () => {
    const { ledger, commit, batch } = await scene({ maxBatchRecords: 3 })
    commit(0, 1, 2)
    for (const slot of [0, 1, 2]) ledger.abandon(slot)
    const first = await batch(0)
    expect(first.kinds).toEqual([0, 1])
    first.resolve()
    expect((await batch(1)).kinds).toEqual([0, 1])
  })
})

describe('a store that cannot be reached', () => {
  it('gets the same batch until it takes it', async () => {
    const { ledger, commit, batch, committed, store, alice, bob } = await scene()
    commit(0, 1)
    for (let attempt = 0; attempt < 5; attempt++) {
      const seen = await batch(attempt)
      expect(seen).toMatchObject({ firstSequence: 0, count: 2, inAmounts: [10n, 10n] })
      seen.reject(new LedgerUnavailableError('cannot be reached'))
      await waitFor('the ledger to notice', () => !ledger.available)
    }
    expect(ledger.reserve(9, alice, bob, 1, 1)).toBe(ReserveOutcome.unavailable)
    expect(committed).toEqual([])
    const last = await batch(5)
    last.resolve()
    await waitFor('the commits', () => committed.length === 2)
    expect(ledger.available).toBe(true)
    expect(store.batches).toHaveLength(6)
  })

  it('stays unavailable after a good probe while a batch fails, and the probe hurries the batch', async () => {
    const { ledger, commit, batch } = await scene({ retryMinMs: 60_000, retryMaxMs: 60_000 })
    commit(0)
    const first = await batch(0)
    first.reject(new LedgerUnavailableError('disk full'))
    await waitFor('the ledger to notice', () => !ledger.available)
    await ledger.probe()
    const second = await batch(1)
    expect(ledger.available).toBe(false)
    second.resolve()
    await waitFor('the ledger', () => ledger.available)
  })

  it('makes the ledger unavailable when it does not answer in time', async () => {
    const { ledger, commit, batch, store } = await scene({ batchSlowMs: 5 })
    commit(0)
    const first = await batch(0)
    await waitFor('the ledger to notice', () => !ledger.available)
    expect(store.batches).toHaveLength(1)
    first.resolve()
    await waitFor('the ledger', () => ledger.available)
  })

  it('is noticed by a probe, and found again by the next', async () => {
    const { ledger, store } = await scene()
    store.probeError = new LedgerUnavailableError('gone')
    await ledger.probe()
    expect([ledger.available, ledger.latencyMs]).toEqual([false, undefined])
    store.probeError = undefined
    await ledger.probe()
    expect(ledger.available).toBe(true)
  })
})

describe('a store that fails for good', () => {
  it.each([new LedgerFaultError('fsync failed'), new TypeError('a bug')])(
    'ends value traffic once and for all (%s)',
    async (error) => {
      const { ledger, commit, batch, store, faults, committed, alice, bob } = await scene()
      commit(0)
      ;(await batch(0)).reject(error)
      await waitFor('the alarm', () => faults.length === 1)
      expect(faults[0]).toBeInstanceOf(LedgerFaultError)
      await ledger.probe()
      expect(ledger.available).toBe(false)
      expect(ledger.reserve(1, alice, bob, 1, 1)).toBe(ReserveOutcome.unavailable)
      const entry = { id: 'in', account: alice, engine: 'evm', amount: 1n }
      await expect(ledger.settleIn(entry)).rejects.toThrow(LedgerFaultError)
      ledger.reserve(2, alice, bob, 0, 0)
      ledger.commit(2)
      await waitFor('the packet without value', () => committed.length === 1)
      expect(committed).toEqual([2])
      await ledger.stop()
      expect([store.batches.length, faults.length, store.stopped]).toEqual([1, 1, 1])
    },
  )

  it('is found by a probe without any traffic', async () => {
    const { ledger, store, faults } = await scene()
    store.probeError = new LedgerFaultError('the worker has ended')
    await ledger.probe()
    expect(faults).toHaveLength(1)
    expect(ledger.available).toBe(false)
  })

  it('does not confuse a wrong call with a broken store', async () => {
    const { ledger, store, faults, alice } = await scene()
    store.settleIn = async () => {
      throw new LedgerFaultError('id was used before')
    }
    const entry = { id: 'in', account: alice, engine: 'evm', amount: 1n }
    await expect(ledger.settleIn(entry)).rejects.toThrow('used before')
    await ledger.probe()
    expect([ledger.available, faults.length]).toEqual([true, 0])
  })
})

describe('stop', () => {
  it('waits for what was committed, and gives up at its deadline', async () => {
    const { ledger, commit, batch, store, committed } = await scene()
    commit(0)
    const first = await batch(0)
    commit(1)
    const stopping = ledger.stop()
    first.resolve()
    ;(await batch(1)).resolve()
    await stopping
    expect(committed).toEqual([0, 1])
    expect(store.stopped).toBe(1)

    const stuck = await scene({ stopDeadlineMs: 20 })
    stuck.commit(0)
    await stuck.batch(0)
    await stuck.ledger.stop()
    expect(stuck.committed).toEqual([])
    expect(stuck.store.stopped).toBe(1)
  })
})

describe('mistakes of the caller', () => {
  it('are refused before anything changes', async () => {
    const { ledger, alice, bob } = await scene()
    ledger.reserve(0, alice, bob, 5, 5)
    expect(() => ledger.reserve(0, alice, bob, 5, 5)).toThrow(/slot/)
    expect(() => ledger.reserve(64, alice, bob, 5, 5)).toThrow(/slot/)
    expect(() => ledger.reserve(1, alice, bob, 5, 6)).toThrow(/no more out than in/)
    expect(() => ledger.reserve(1, alice, bob, -5, -6)).toThrow(/negative/)
    expect(() => ledger.commit(1)).toThrow(/not reserved/)
    expect(() => ledger.release(1)).toThrow(/not reserved/)
    expect(() => ledger.abandon(0)).toThrow(/not being committed/)
    expect([alice.reserved, bob.outgoing]).toEqual([5, 5])
  })

  it('are refused when an account or a settlement makes no sense', async () => {
    const { ledger, alice } = await scene()
    const spec = { id: 'x', assetCode: 'USD', assetScale: 2, creditLimit: 0n, payableLimit: undefined }
    await expect(ledger.openAccount({ ...spec, id: 'a b' })).rejects.toThrow(/account id/)
    await expect(ledger.openAccount({ ...spec, assetCode: 'U:D' })).rejects.toThrow(/asset code/)
    await expect(ledger.openAccount({ ...spec, assetScale: 256 })).rejects.toThrow(/asset scale/)
    await expect(ledger.openAccount({ ...spec, creditLimit: -1n })).rejects.toThrow(/credit limit/)
    await expect(ledger.openAccount({ ...spec, payableLimit: -1n })).rejects.toThrow(/payable limit/)
    const entry = { id: 'in', account: alice, engine: 'no engine', amount: 1n }
    await expect(ledger.settleIn(entry)).rejects.toThrow(/engine/)
  })
})

import { randomUUID } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import { createClient } from 'tigerbeetle-node'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { ExclusiveLedger } from '../../../src/ledger/exclusive-ledger.ts'
import { type Ledger, type LedgerAccount, ReserveOutcome } from '../../../src/ledger/ledger.ts'
import { type PacketBatch, RecordKind } from '../../../src/ledger/ledger-store.ts'
import { SharedLedger } from '../../../src/ledger/tigerbeetle/shared-ledger.ts'
import { TigerBeetleStore } from '../../../src/ledger/tigerbeetle/tigerbeetle-store.ts'
import { deriveId } from '../../../src/ledger/tigerbeetle/transfer-ids.ts'
import { systemClock } from '../../../src/lib/clock.ts'
import { type Logger, silentLogger } from '../../../src/lib/logger.ts'
import { LedgerDriver } from '../../compliance/ledger-driver.ts'
import { expectBalanced } from '../../compliance/ledger-harness.ts'
import { waitFor } from '../../compliance/wait-for.ts'
import { findTigerBeetleOrWarn, TigerBeetleServer } from '../../support/tigerbeetle-server.ts'

const TIMEOUT_MS = 1_000
const SLOTS = 4096
/** A cluster keeps this many sessions. */
const SESSIONS_MAX = 64
const SESSIONS_AT_ONCE = 16
const PROBES_MAX = 200
const ASSETS_TRIED_MAX = 400_000

const binary = findTigerBeetleOrWarn('the tests of the TigerBeetle ledgers against a failing server')
/** Warnings of the ledgers of the running test. */
const warnings: string[] = []
const logger: Logger = {
  ...silentLogger,
  warn: (message) => void warnings.push(message),
  child: () => logger,
}
const deps = { clock: systemClock, logger }

describe.skipIf(binary === undefined)('TigerBeetle ledgers and a real server', () => {
  let server: TigerBeetleServer
  const open: (() => Promise<void>)[] = []

  beforeAll(async () => {
    server = await TigerBeetleServer.start(binary!)
  })

  afterEach(async () => {
    server.resume()
    for (const close of open.splice(0)) await close()
    warnings.length = 0
  })

  afterAll(async () => {
    await server?.stop()
  })

  const cluster = () => ({ clusterId: 0n, addresses: [server.address], timeoutMs: TIMEOUT_MS })

  async function openStore(namespace: string, takeoverWaitMs = 600_000): Promise<TigerBeetleStore> {
    const store = new TigerBeetleStore({ ...cluster(), namespace, takeoverWaitMs }, deps)
    await store.start()
    open.push(() => store.stop())
    return store
  }

  async function openLedger(mode: 'exclusive' | 'shared', pendingTimeoutSeconds = 360): Promise<Ledger> {
    const namespace = randomUUID()
    const sharedOptions = { ...cluster(), slots: SLOTS, nodeId: 'test', namespace, pendingTimeoutSeconds }
    const storeOptions = { ...cluster(), namespace, takeoverWaitMs: 600_000 }
    const ledger =
      mode === 'shared'
        ? new SharedLedger(sharedOptions, deps)
        : new ExclusiveLedger(
            { slots: SLOTS, batchSlowMs: TIMEOUT_MS, retryMaxMs: 200 },
            { ...deps, store: new TigerBeetleStore(storeOptions, deps), onFault: () => undefined },
          )
    await ledger.start()
    open.push(() => ledger.stop())
    return ledger
  }

  for (const mode of ['exclusive', 'shared'] as const) {
    describe(mode, () => {
      it('loses and doubles nothing when the server is killed and started again under load', async () => {
        const ledger = await openLedger(mode)
        const { alice, bob, driver } = await aliceAndBob(ledger)
        const payments: Promise<boolean>[] = []
        const load = async (): Promise<void> => {
          for (let i = 0; i < 200; i++) payments.push(tryToPay(driver, alice, bob))
          await delay(5)
        }
        for (let round = 0; round < 5; round++) await load()
        await server.kill()
        for (let round = 0; round < 5; round++) await load()
        await waitFor('the ledger to notice', () => !ledger.available)
        expect((await driver.reserve(alice, bob, 1, 1)).outcome).toBe(ReserveOutcome.unavailable)
        await server.restart()
        await untilAvailable(ledger)
        const booked = (await Promise.all(payments)).filter((wasBooked) => wasBooked).length
        expect(booked).toBeGreaterThan(0)
        expect(alice.balance).toBe(-2 * booked)
        await expectBooks(ledger, bob, BigInt(booked), alice)
      })

      it('is not available while the server hangs, and is again when it goes on', async () => {
        const ledger = await openLedger(mode)
        const { alice, bob, driver } = await aliceAndBob(ledger)
        const slots = []
        for (let i = 0; i < 300; i++) slots.push(await driver.mustReserve(alice, bob, 2, 1))
        server.pause()
        for (const slot of slots) ledger.commit(slot)
        await ledger.probe()
        await waitFor('the ledger to notice', () => !ledger.available)
        for (let probe = 0; probe < 3; probe++) await ledger.probe()
        expect(ledger.available).toBe(false)
        server.resume()
        await untilAvailable(ledger)
        await waitFor('all commits', () => driver.committed.length >= slots.length)
        expect(driver.committed.toSorted((a, b) => a - b)).toEqual(slots.toSorted((a, b) => a - b))
        await expectBooks(ledger, bob, 300n, alice)
      })

      it('goes on with a new session when the cluster dropped its own', async () => {
        const ledger = await openLedger(mode)
        const { alice, bob, driver } = await aliceAndBob(ledger)
        await driver.pay(alice, bob, 2, 1)
        for (let sessions = 0; sessions <= SESSIONS_MAX; sessions += SESSIONS_AT_ONCE) {
          await Promise.all(Array.from({ length: SESSIONS_AT_ONCE }, () => useSession(server.address)))
        }
        const slot = (await driver.reserve(alice, bob, 2, 1)).slot
        if (mode === 'exclusive') await driver.commit(slot)
        await untilAvailable(ledger)
        expect(warnings).toContain('tigerbeetle session was evicted, opening a new one')
        await driver.pay(alice, bob, 2, 1)
        const booked = mode === 'exclusive' ? 3n : 2n
        await expectBooks(ledger, bob, booked, alice)
      })
    })
  }

  it('gives up reservations that wait too long, and voids them when they land late', async () => {
    const ledger = await openLedger('shared')
    const { alice, bob, driver } = await aliceAndBob(ledger)
    server.pause()
    const answers = await Promise.all(Array.from({ length: 500 }, () => driver.reserve(alice, bob, 2, 1)))
    expect(new Set(answers.map(({ outcome }) => outcome))).toEqual(new Set([ReserveOutcome.unavailable]))
    expect([alice.reserved, bob.outgoing]).toEqual([0, 0])
    server.resume()
    await untilAvailable(ledger)
    await driver.pay(alice, bob, 2, 1)
    expect((await ledger.balance(alice)).debitsPending).toBe(0n)
    await expectBooks(ledger, bob, 1n, alice)
  })

  it('books a fulfilled packet whose pending transfer expired, once', async () => {
    const ledger = await openLedger('shared', 1)
    const { alice, bob, driver } = await aliceAndBob(ledger)
    const eve = await ledger.openAccount({ ...SPEC, id: 'eve', creditLimit: 2n })
    const slots = [await driver.mustReserve(alice, bob, 2, 1), await driver.mustReserve(eve, bob, 2, 1)]
    while ((await ledger.balance(eve)).debitsPending > 0n) await delay(50)
    // Her credit is used by another packet meanwhile: the late one must be booked over the limit.
    await driver.pay(eve, bob, 2, 1)
    await Promise.all(slots.map((slot) => driver.commit(slot)))
    expect([alice.balance, eve.balance, bob.balance]).toEqual([-2, -4, 3])
    await expectBooks(ledger, bob, 3n)
    expect((await driver.reserve(eve, bob, 1, 1)).outcome).toBe(ReserveOutcome.creditExceeded)
  })

  it('books a fulfilled packet over a credit limit that was lowered meanwhile, and repeats it harmlessly', async () => {
    const store = await openStore(randomUUID())
    await store.openAccount({ ...SPEC, id: 'alice', creditLimit: 100n }, 0)
    await store.openAccount({ ...SPEC, id: 'bob' }, 1)
    await store.setCreditLimit(0, 15n)
    const batch = batchOf(store.epoch, [10n, 10n, 10n])
    await Promise.all([store.post(batch), store.post(batch)])
    await store.post(batch)
    const stored = await store.openAccount({ ...SPEC, id: 'alice', creditLimit: 0n }, 0)
    expect(stored).toEqual({ balance: -30n, held: 0n, creditLimit: 15n })
    const bob = await store.openAccount({ ...SPEC, id: 'bob' }, 1)
    expect(bob.balance).toBe(27n)
    expect((await store.selfCheck()).balanced).toBe(true)
  })

  it('holds no settlement that the account has no room for, and holds it once there is', async () => {
    const store = await openStore(randomUUID())
    await store.openAccount({ ...SPEC, id: 'alice', creditLimit: 5n }, 0)
    for (let attempt = 0; attempt < 3; attempt++) {
      await expect(store.holdSettlement('out', 0, 'evm', 6n, true)).rejects.toThrow(
        /out of 6.*nothing is held/,
      )
    }
    await store.settleIn('in', 0, 'evm', 1n)
    await store.holdSettlement('out', 0, 'evm', 6n, true)
    await store.holdSettlement('out', 0, 'evm', 6n, true)
    expect(await store.postSettlement('out')).toEqual({ index: 0, amount: 6n, changed: true })
    expect(await store.postSettlement('out')).toEqual({ index: 0, amount: 6n, changed: false })
    expect((await store.openAccount({ ...SPEC, id: 'alice' }, 0)).balance).toBe(-5n)
  })

  it('refuses a batch that contradicts what was booked under its numbers', async () => {
    const store = await openStore(randomUUID())
    await store.openAccount({ ...SPEC, id: 'alice', creditLimit: 100n }, 0)
    await store.openAccount({ ...SPEC, id: 'bob' }, 1)
    await store.post(batchOf(store.epoch, [10n]))
    await expect(store.post(batchOf(store.epoch, [11n]))).rejects.toThrow(/exists_with_different_amount/)
  })

  it('keeps two assets apart whose names give the same ledger number', async () => {
    const namespace = 'collision'
    const [one, other] = findCollision(namespace)
    const store = await openStore(namespace)
    const accounts = [one, other].map((assetCode) => ({
      ...SPEC,
      id: `of-${assetCode}`,
      assetCode,
      creditLimit: 10n,
    }))
    for (const [index, spec] of accounts.entries()) await store.openAccount(spec, index)
    await store.settleIn('in', 0, 'evm', 5n)
    const { assets, balanced } = await store.selfCheck()
    expect(balanced).toBe(true)
    expect(assets.map(({ assetCode, debits }) => [assetCode, debits])).toEqual([
      [one, 15n],
      [other, 10n],
    ])
    await store.stop()
    const again = await openStore(namespace)
    const balances = await again.balances()
    expect(balances.find(({ id }) => id === accounts[0]!.id)).toMatchObject({ assetCode: one, balance: 5n })
    expect(balances.find(({ id }) => id === accounts[1]!.id)).toMatchObject({ assetCode: other, balance: 0n })
  })

  it('writes no more once another process took the books over', async () => {
    const namespace = randomUUID()
    const paused = await openStore(namespace, 12_000)
    const first = paused.epoch
    const next = await openStore(namespace, 80)
    expect(next.epoch).toBeGreaterThan(first)
    for (let look = 0; look < PROBES_MAX; look++) {
      const failure = await paused.probe().then(
        () => undefined,
        (error: Error) => error,
      )
      if (failure !== undefined) {
        expect(failure.message).toMatch(/took the books over/)
        await expect(paused.post(batchOf(first, [1n]))).rejects.toThrow(/took the books over/)
        return
      }
      await delay(50)
    }
    expect.fail('the first process did not notice')
  })

  it('finds engines with long names again', async () => {
    const namespace = randomUUID()
    const store = await openStore(namespace)
    await store.openAccount({ ...SPEC, id: 'alice' }, 0)
    const engine = 'e'.repeat(64)
    await store.settleIn('in', 0, engine, 5n)
    await store.stop()
    const again = await openStore(namespace)
    const settlement = (await again.balances()).find(({ kind }) => kind === 'settlement')
    expect(settlement).toMatchObject({ id: `settlement:USD:2:${engine}`, balance: -5n })
  })

  it('sets the credit limit that was set last when processes set it at once', async () => {
    const namespace = randomUUID()
    const options = { ...cluster(), slots: SLOTS, nodeId: 'test', namespace }
    const ledgers = [new SharedLedger(options, deps), new SharedLedger(options, deps)]
    const accounts: LedgerAccount[] = []
    for (const ledger of ledgers) {
      await ledger.start()
      open.push(() => ledger.stop())
      accounts.push(await ledger.openAccount({ ...SPEC, id: 'alice', creditLimit: 100n }))
    }
    const limits = [50n, 250n, 75n, 300n]
    await Promise.all(limits.map((limit, at) => ledgers[at % 2]!.setCreditLimit(accounts[at % 2]!, limit)))
    const extended = (await ledgers[0]!.balances()).find(({ kind }) => kind === 'line')!
    expect(limits).toContain(-extended.balance)
    await ledgers[0]!.setCreditLimit(accounts[0]!, 80n)
    await ledgers[1]!.probe()
    await waitFor('the other process to follow', () => accounts[1]!.creditLimit === 80)
  })

  it('says what it could not reach, in time', async () => {
    const address = '127.0.0.1:1'
    const store = new TigerBeetleStore({ clusterId: 0n, addresses: [address], timeoutMs: 100 }, deps)
    await expect(store.start()).rejects.toThrow(address)
  })
})

const SPEC = { assetCode: 'USD', assetScale: 2, creditLimit: 2n ** 100n, payableLimit: undefined }

async function aliceAndBob(
  ledger: Ledger,
): Promise<{ alice: LedgerAccount; bob: LedgerAccount; driver: LedgerDriver }> {
  const alice = await ledger.openAccount({ ...SPEC, id: 'alice' })
  const bob = await ledger.openAccount({ ...SPEC, id: 'bob' })
  return { alice, bob, driver: new LedgerDriver(ledger) }
}

/** Whether a packet of 2, of which 1 arrives, was let through and booked. */
async function tryToPay(driver: LedgerDriver, payer: LedgerAccount, payee: LedgerAccount): Promise<boolean> {
  const { slot, outcome } = await driver.reserve(payer, payee, 2, 1)
  if (outcome !== ReserveOutcome.reserved) return false
  const before = driver.timesCommitted(slot)
  driver.ledger.commit(slot)
  await driver.untilCommitted(slot, before)
  return true
}

async function untilAvailable(ledger: Ledger): Promise<void> {
  for (let probe = 0; probe < PROBES_MAX; probe++) {
    await ledger.probe()
    if (ledger.available) return
    await delay(20)
  }
  throw new Error('the ledger did not become available again')
}

/** What the payee earned is booked, nothing else, and nothing stays reserved. */
async function expectBooks(
  ledger: Ledger,
  payee: LedgerAccount,
  earned: bigint,
  payer?: LedgerAccount,
): Promise<void> {
  const booked = await ledger.balance(payee)
  expect(booked.balance).toBe(earned)
  expect(BigInt(payee.balance)).toBe(earned)
  if (payer !== undefined) {
    const paid = await ledger.balance(payer)
    expect([paid.balance, paid.debitsPending]).toEqual([earned * -2n, 0n])
    expect([payer.reserved, payee.outgoing]).toEqual([0, 0])
  }
  await expectBalanced(ledger)
}

/** Opens a session, uses it once and leaves. */
async function useSession(address: string): Promise<void> {
  const client = createClient({ cluster_id: 0n, replica_addresses: [address] })
  await client.lookupAccounts([1n])
  client.destroy()
}

/** Packets from account 0 to account 1, of which 1 each is spread. */
function batchOf(epoch: number, amounts: bigint[]): PacketBatch {
  const count = amounts.length
  return {
    epoch,
    firstSequence: 0,
    count,
    closedAtMs: 0,
    payer: new Uint32Array(count),
    payee: new Uint32Array(count).fill(1),
    inAmount: BigUint64Array.from(amounts),
    outAmount: BigUint64Array.from(amounts, (amount) => amount - 1n),
    kind: new Uint8Array(count).fill(RecordKind.packet),
  }
}

/** Two asset codes whose hashes agree in the 32 bits of a ledger number. */
function findCollision(namespace: string): [string, string] {
  const seen = new Map<bigint, string>()
  for (let tried = 0; tried < ASSETS_TRIED_MAX; tried++) {
    const code = `A${tried}`
    const number = deriveId(namespace, 'asset', `${code}:2`).check & 0xffff_ffffn
    const other = seen.get(number)
    if (other !== undefined) return [other, code]
    seen.set(number, code)
  }
  throw new Error('no collision found')
}

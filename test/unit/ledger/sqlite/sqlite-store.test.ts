import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { statSync, writeFileSync } from 'node:fs'
import { mkdtemp, open, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Worker } from 'node:worker_threads'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { BatchBuffer } from '../../../../src/ledger/batch-buffer.ts'
import { LedgerFaultError, LedgerUnavailableError, RecordKind } from '../../../../src/ledger/ledger-store.ts'
import { BatchMailbox } from '../../../../src/ledger/sqlite/batch-mailbox.ts'
import { SqliteStore, type SqliteStoreOptions } from '../../../../src/ledger/sqlite/sqlite-store.ts'
import { systemClock } from '../../../../src/lib/clock.ts'
import { silentLogger } from '../../../../src/lib/logger.ts'
import { waitFor } from '../../../compliance/wait-for.ts'

/** Workers that the stores under test have started, newest last. */
const workers: Worker[] = vi.hoisted(() => [])
vi.mock('node:worker_threads', async (importOriginal) => {
  const original = await importOriginal<typeof import('node:worker_threads')>()
  class RecordedWorker extends original.Worker {
    constructor(...parameters: ConstructorParameters<typeof original.Worker>) {
      super(...parameters)
      workers.push(this)
    }
  }
  return { ...original, Worker: RecordedWorker }
})

const CHILD = fileURLToPath(new URL('./ledger-child.ts', import.meta.url))
const DISK_CHILD = fileURLToPath(new URL('./disk-child.ts', import.meta.url))
const USD = { assetCode: 'USD', assetScale: 2, creditLimit: 0n, payableLimit: undefined }

let directory: string
const stores: SqliteStore[] = []

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'causeway-store-'))
})
afterEach(async () => {
  for (const store of stores.splice(0)) await store.stop()
  await rm(directory, { recursive: true, force: true })
})

function newStore(options: Partial<SqliteStoreOptions> = {}): SqliteStore {
  const file = { path: join(directory, 'ledger.db'), packetDetailDays: 1, lockWaitMs: 10, ...options }
  const store = new SqliteStore(file, { clock: systemClock, logger: silentLogger })
  stores.push(store)
  return store
}

async function opened(options: Partial<SqliteStoreOptions> = {}): Promise<SqliteStore> {
  const store = newStore(options)
  await store.start()
  await store.openAccount({ ...USD, id: 'alice' }, 0)
  await store.openAccount({ ...USD, id: 'bob' }, 1)
  return store
}

function batch(store: SqliteStore, firstSequence: number, count: number): BatchBuffer {
  const filled = new BatchBuffer(64)
  filled.begin(store.epoch, firstSequence)
  for (let i = 0; i < count; i++) filled.push(RecordKind.packet, i, 0, 1, 10, 9)
  return filled
}

async function balance(store: SqliteStore, id: string): Promise<bigint | undefined> {
  const all = await store.balances()
  return all.find((account) => account.id === id && account.kind === 'clearing')?.balance
}

describe('the ledger file', () => {
  it('is made with its directory, for its owner alone', async () => {
    const path = join(directory, 'new', 'deep', 'ledger.db')
    await opened({ path })
    expect(statSync(path).mode & 0o777).toBe(0o600)
    expect(statSync(`${path}-wal`).mode & 0o777).toBe(0o600)
  })

  it('is refused to a second process while the first lives, and free once it is killed', async () => {
    const path = join(directory, 'ledger.db')
    const said = await open(`${path}.said`, 'w')
    const child = spawn(process.execPath, [CHILD, path], { stdio: ['ignore', said.fd, 'ignore'] })
    await waitFor('the child to book', () => statSync(`${path}.said`).size > 0, 30_000)
    const second = newStore()
    await expect(second.start()).rejects.toThrow(/in use by another process/)
    const closed = once(child, 'close')
    child.kill('SIGKILL')
    await closed
    await said.close()
    const third = newStore()
    await third.start()
    expect((await third.selfCheck()).balanced).toBe(true)
  })

  it('is refused with a reason when it cannot be made', async () => {
    writeFileSync(join(directory, 'plain'), '')
    const store = newStore({ path: join(directory, 'plain', 'ledger.db') })
    await expect(store.start()).rejects.toThrow(/plain.*cannot be opened/s)
  })

  it('is refused with a reason when it is damaged', async () => {
    writeFileSync(join(directory, 'ledger.db'), 'x'.repeat(8192))
    const store = newStore()
    await expect(store.start()).rejects.toThrow(LedgerFaultError)
    await expect(store.probe()).rejects.toThrow(LedgerFaultError)
  })
})

describe('the worker', () => {
  it('answers nothing before it is started and after it is stopped', async () => {
    const store = newStore()
    await expect(store.probe()).rejects.toThrow(/not started/)
    await store.start()
    await store.stop()
    await store.stop()
    await expect(store.probe()).rejects.toThrow(/stopped/)
  })

  it('fails every call for good once it has died', async () => {
    const store = await opened()
    const worker = workers.at(-1)!
    // Held back, so that both calls are surely without an answer.
    const [listener] = worker.listeners('message') as ((message: unknown) => void)[]
    worker.off('message', listener!)
    const calls = [store.post(batch(store, 0, 1)), store.balances()].map((call) =>
      expect(call).rejects.toThrow(/has ended/),
    )
    await worker.terminate()
    await Promise.all(calls)
    await expect(store.probe()).rejects.toThrow(LedgerFaultError)
    await expect(store.post(batch(store, 0, 1))).rejects.toThrow(/has ended/)
  })

  it('gets a batch that it has not answered once, however often it is repeated', async () => {
    const store = await opened({ callDeadlineMs: 500 })
    const put = vi.spyOn(BatchMailbox.prototype, 'put')
    const worker = workers.at(-1)!
    const [listener] = worker.listeners('message') as ((message: unknown) => void)[]
    const held: unknown[] = []
    worker.removeAllListeners('message').on('message', (message) => held.push(message))
    for (let attempt = 0; attempt < 3; attempt++) {
      await expect(store.post(batch(store, 0, 5))).rejects.toThrow(LedgerUnavailableError)
    }
    expect(put).toHaveBeenCalledTimes(1)
    put.mockRestore()
    const repeated = store.post(batch(store, 0, 5))
    worker.removeAllListeners('message').on('message', listener!)
    for (const message of held) listener!(message)
    await repeated
    await store.post(batch(store, 0, 5))
    expect(await balance(store, 'bob')).toBe(45n)
  })

  it('leaves a batch to its owner, who may change it afterwards', async () => {
    const store = await opened()
    const own = batch(store, 0, 3)
    const posting = store.post(own)
    own.payer.fill(1)
    own.inAmount.fill(1_000_000n)
    await posting
    expect(await balance(store, 'alice')).toBe(-30n)
  })

  it('refuses calls while very many are not answered', async () => {
    const store = await opened({ callDeadlineMs: 1_000 })
    const worker = workers.at(-1)!
    const real = worker.postMessage.bind(worker)
    worker.postMessage = () => undefined
    const calls = Array.from({ length: 1_100 }, () => store.probe().catch((error: Error) => error.message))
    const messages = await Promise.all(calls)
    expect(messages.filter((message) => message?.includes('wait for the ledger worker'))).toHaveLength(76)
    worker.postMessage = real
  })

  it('keeps the process of an open ledger, and lets it end once stopped', () => {
    const script = `
      import { SqliteStore } from ${JSON.stringify(new URL('../../../../src/ledger/sqlite/sqlite-store.ts', import.meta.url).href)}
      const store = new SqliteStore({ path: ${JSON.stringify(join(directory, 'own.db'))}, packetDetailDays: 1 },
        { clock: { now: () => 1 }, logger: { warn() {} } })
      await store.start()
      await store.stop()
      console.log('stopped')
    `
    const child = spawnSync(process.execPath, ['--input-type=module', '-e', script], {
      encoding: 'utf8',
      timeout: 20_000,
    })
    expect(child).toMatchObject({ status: 0, stdout: 'stopped\n' })
  })
})

describe('a disk in trouble', { timeout: 60_000 }, () => {
  it('that fails a write ends the ledger for good, and the books stay sound', async () => {
    // The size limit makes the write fail with EFBIG, which is no full disk: an input/output error.
    const path = join(directory, 'ledger.db')
    const script = `trap '' XFSZ; ulimit -f 400; exec "$0" "$1" "$2" until-fault`
    const child = spawnSync('bash', ['-c', script, process.execPath, DISK_CHILD, path], {
      encoding: 'utf8',
      timeout: 50_000,
    })
    expect(child.stderr).toBe('')
    const said = JSON.parse(child.stdout) as { fault: string; afterFault: string[]; booked: number }
    expect(said.fault).toMatch(/cannot be used/)
    expect(said.afterFault).toEqual(['LedgerFaultError', 'LedgerFaultError', 'LedgerFaultError'])
    const store = await opened()
    expect((await store.selfCheck()).balanced).toBe(true)
    expect((await balance(store, 'bob'))! / 9n).toBeGreaterThanOrEqual(BigInt(said.booked))
  })

  it('that is full makes the ledger unavailable until there is space', async (context) => {
    // A small file system of its own, in a mount namespace.
    const inside = 'mount -t tmpfs -o size=3m tmpfs "$2" && exec "$0" "$1" "$2/ledger.db" until-full'
    const script = 'exec unshare -rm bash -c "$3" "$0" "$1" "$2"'
    const child = spawnSync('bash', ['-c', script, process.execPath, DISK_CHILD, directory, inside], {
      encoding: 'utf8',
      timeout: 50_000,
    })
    if (child.error !== undefined || /unshare|mount/.test(child.stderr)) {
      console.warn(`NOT TESTED: full disk (no mount namespace here: ${child.error?.message ?? child.stderr})`)
      return context.skip()
    }
    expect(child.stderr).toBe('')
    const said = JSON.parse(child.stdout) as { refusals: string[]; balanced: boolean; missing: string }
    // Small writes may still find room in what the WAL has; whatever was refused was refused for now.
    expect(said.refusals[0]).toBe('LedgerUnavailableError')
    expect(new Set(said.refusals)).toEqual(new Set(['LedgerUnavailableError', 'none']))
    expect(said.balanced).toBe(true)
    expect(said.missing).toBe('0')
  })
})

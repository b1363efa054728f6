import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { EngineStore } from '../../../settlement-engines/evm/engine-store.ts'
import { NonceAllocator } from '../../../settlement-engines/evm/nonce-allocator.ts'
import { TxJournal } from '../../../settlement-engines/evm/tx-journal.ts'
import { transfer } from './sender-fixture.ts'

const ADDRESS = '0x00000000000000000000000000000000000000aa'
const PLACE = { chainId: 1, address: ADDRESS } as const

let directory: string
let path: string
let store: EngineStore

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'causeway-evm-'))
  path = join(directory, 'evm.db')
  store = new EngineStore(path)
  store.start()
})
afterEach(() => {
  store.stop()
  rmSync(directory, { recursive: true, force: true })
})

describe("the engine's store", () => {
  it('belongs to one process at a time', () => {
    const module = join(import.meta.dirname, '../../../settlement-engines/evm/engine-store.ts')
    const script = `import { EngineStore } from ${JSON.stringify(module)}; new EngineStore(${JSON.stringify(path)}).start()`
    const run = () => spawnSync(process.execPath, ['--input-type=module', '-e', script], { encoding: 'utf8' })
    const refused = run()
    expect(refused.status).not.toBe(0)
    expect(refused.stderr).toContain('its key must be used by one process only')
    store.stop()
    expect(run().status).toBe(0)
  })

  it('refuses a file of a newer version, and does not change it', () => {
    store.stop()
    const database = new DatabaseSync(path)
    database.exec('PRAGMA user_version = 99')
    database.close()
    expect(() => store.start()).toThrow('written by a newer version')
    expect(() => store.database).toThrow('not open')
  })

  it('keeps nothing of a transaction that throws, and joins inner ones to the outer', () => {
    const journal = new TxJournal(PLACE, { store })
    expect(() =>
      store.transaction(() => {
        store.transaction(() => journal.submit(transfer('a'), 1))
        throw new Error('stop')
      }),
    ).toThrow('stop')
    expect(journal.purpose('a')).toBeUndefined()
    store.transaction(() => journal.submit(transfer('a'), 1))
    expect(journal.purpose('a')?.state).toBe('queued')
  })
})

describe('purposes', () => {
  it('may be repeated, but not for something else', () => {
    const journal = new TxJournal(PLACE, { store })
    expect(journal.submit(transfer('a'), 1)).toBe(true)
    expect(journal.submit(transfer('a', { feeBudget: 5n, urgency: 'urgent' }), 2)).toBe(false)
    for (const change of [{ value: 1n }, { data: '0x00' as const }, { to: ADDRESS }] as const) {
      expect(() => journal.submit(transfer('a', change), 3)).toThrow(
        expect.objectContaining({ name: 'PurposeConflictError' }),
      )
    }
    const other = new TxJournal({ ...PLACE, chainId: 2 }, { store })
    expect(() => other.submit(transfer('a'), 3)).toThrow(
      expect.objectContaining({ name: 'PurposeConflictError' }),
    )
  })

  it.each(['', 'a b', 'ü', 'x'.repeat(129)])('have plain names: %j is refused', (purpose) => {
    expect(() => new TxJournal(PLACE, { store }).submit(transfer(purpose), 1)).toThrow()
  })
})

describe('nonces', () => {
  it('begin where the chain is, and then come from the store alone', () => {
    const nonces = new NonceAllocator(PLACE, { store })
    nonces.open({ latest: 7, pending: 7 })
    nonces.open({ latest: 3, pending: 90 })
    expect(nonces.next).toBe(7)
    store.transaction(() => nonces.take(7))
    expect(nonces.next).toBe(8)
    expect(() => store.transaction(() => nonces.take(7))).toThrow('given out once')
    expect(() => nonces.take(8)).toThrow('together with what was signed')
  })

  it('are not begun while somebody else has transactions waiting', () => {
    const nonces = new NonceAllocator(PLACE, { store })
    expect(() => nonces.open({ latest: 7, pending: 8 })).toThrow(
      expect.objectContaining({ name: 'KeyInUseError' }),
    )
    nonces.open({ latest: 8, pending: 8 })
    expect(nonces.next).toBe(8)
  })

  it('are not given out after a halt, over restarts, until resumed', () => {
    const nonces = new NonceAllocator(PLACE, { store })
    nonces.open({ latest: 0, pending: 0 })
    nonces.halt('first')
    nonces.halt('second')
    store.stop()
    store.start()
    expect(nonces.halted).toBe('first')
    expect(() => store.transaction(() => nonces.take(0))).toThrow('given out once')
    nonces.resume(4)
    expect([nonces.halted, nonces.next]).toEqual([undefined, 4])
  })
})

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync, statSync } from 'node:fs'
import { mkdtemp, open, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { ExclusiveLedger } from '../../../../src/ledger/exclusive-ledger.ts'
import { SqliteStore } from '../../../../src/ledger/sqlite/sqlite-store.ts'
import { systemClock } from '../../../../src/lib/clock.ts'
import { CRASH_POINTS, CRASH_VARIABLE } from '../../../../src/lib/crash-point.ts'
import { silentLogger } from '../../../../src/lib/logger.ts'
import { expectBalanced } from '../../../compliance/ledger-harness.ts'
import { SeededRandom } from '../../../compliance/seeded-random.ts'
import { waitFor } from '../../../compliance/wait-for.ts'

const CHILD = fileURLToPath(new URL('./ledger-child.ts', import.meta.url))
const RANDOM_KILLS = 8
/** Bytes of its report that a child may write before it is killed. */
const SAID_BEFORE_KILL_MAX = 100_000

interface Life {
  issued: number
  booked: number
  signal: NodeJS.Signals | null
  errors: string
}

/** One life of a process that books packets, until a crash point or the test kills it. */
async function live(path: string, crashAt: string | undefined, killAfter?: number): Promise<Life> {
  const env = { ...process.env, NODE_ENV: 'test', [CRASH_VARIABLE]: crashAt ?? '' }
  // A file, not a pipe: what was written before the kill is there, and writing never blocks or fails.
  const saidPath = `${path}.said`
  const said = await open(saidPath, 'w')
  const child = spawn(process.execPath, [CHILD, path], { env, stdio: ['ignore', said.fd, 'pipe'] })
  let errors = ''
  child.stderr?.on('data', (chunk) => {
    errors += chunk
  })
  const closed = once(child, 'close') as Promise<[number | null, NodeJS.Signals | null]>
  if (killAfter !== undefined) {
    const alive = (): boolean => child.exitCode === null && child.signalCode === null
    await waitFor('the child to work', () => !alive() || statSync(saidPath).size >= killAfter, 60_000)
    child.kill('SIGKILL')
  }
  const [, signal] = await closed
  await said.close()
  const lines = readFileSync(saidPath, 'utf8').split('\n')
  const last = (what: string): number =>
    Number(lines.findLast((line) => line.startsWith(what))?.slice(what.length) ?? 0)
  return { issued: last('issued '), booked: last('booked '), signal, errors }
}

describe('kill -9', { timeout: 300_000 }, () => {
  let directory: string
  let path: string
  /** Packets known to be booked by all lives so far; the books hold them and every life's own. */
  let packets = 0n

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'causeway-kill-'))
    path = join(directory, 'ledger.db')
  })
  afterAll(async () => {
    await rm(directory, { recursive: true, force: true })
  })

  /** Opens the books that the dead process left and checks them against what it said. */
  async function expectSound({ issued, booked, signal, errors }: Life): Promise<void> {
    expect(signal, errors).toBe('SIGKILL')
    const store = new SqliteStore({ path, packetDetailDays: 1 }, { clock: systemClock, logger: silentLogger })
    const deps = { store, clock: systemClock, logger: silentLogger, onFault: () => undefined }
    const ledger = new ExclusiveLedger({ slots: 16 }, deps)
    await ledger.start()
    try {
      await expectBalanced(ledger)
      const balances = new Map((await ledger.balances()).map((entry) => [`${entry.kind} ${entry.id}`, entry]))
      const balance = (name: string): bigint => balances.get(name)?.balance ?? 0n
      const paid = -balance('clearing alice')
      expect(paid % 10n).toBe(0n)
      const life = paid / 10n - packets
      expect(life).toBeGreaterThanOrEqual(BigInt(booked))
      expect(life).toBeLessThanOrEqual(BigInt(issued))
      const earned = balance('clearing bob') + balance('clearing xena')
      expect(earned).toBe((paid / 10n) * 7n)
      expect(balance('revenue revenue:USD:2')).toBe((balance('clearing bob') / 7n) * 3n)
      packets += life
    } finally {
      await ledger.stop()
    }
  }

  const points = Object.keys(CRASH_POINTS).filter((name) => name.startsWith('ledger.'))
  for (const point of points) {
    it.each([1, 2, 7, 40])(`leaves sound books at ${point}, pass %d`, async (pass) => {
      await expectSound(await live(path, `${point}:${pass}`))
    })
  }

  it('leaves sound books at random moments', async () => {
    const random = new SeededRandom(Number(process.env.LEDGER_SEED ?? Date.now() & 0xffffffff))
    console.log(`kill seed ${random.seed}`)
    for (let round = 0; round < RANDOM_KILLS; round++) {
      await expectSound(await live(path, undefined, random.below(SAID_BEFORE_KILL_MAX)))
    }
  })
})

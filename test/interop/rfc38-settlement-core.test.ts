import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { systemClock } from '../../src/lib/clock.ts'
import { silentLogger } from '../../src/lib/logger.ts'
import type { EngineHost } from '../../src/settlement/engine.ts'
import { EngineJournal } from '../../src/settlement/rfc38/engine-journal.ts'
import { Rfc38Engine } from '../../src/settlement/rfc38/rfc38-engine.ts'
import { SeededRandom } from '../compliance/seeded-random.ts'
import { freePort } from '../support/free-port.ts'
import { waitFor } from '../support/wait-for.ts'
import { FlakyProxy } from '../unit/rfc38/support/flaky-proxy.ts'
import { account, order } from '../unit/rfc38/support/orders.ts'
import { ScriptedHost } from '../unit/rfc38/support/scripted-host.ts'

const CHILD = fileURLToPath(new URL('./support/settlement-core-child.ts', import.meta.url))
const SETTLEMENTS = 200
const DEADLINE_MS = 60_000

const modulePath = findSettlementCore()

/** The package, installed here or in the directory that SETTLEMENT_CORE_DIR names. */
function findSettlementCore(): string | undefined {
  const base = process.env.SETTLEMENT_CORE_DIR
  try {
    return createRequire(base === undefined ? import.meta.url : join(base, 'x.js')).resolve(
      'ilp-settlement-core',
    )
  } catch {
    console.warn(
      '\n*** SKIPPED: the interop of RFC 38 needs npm ilp-settlement-core 0.1.1 and found none.\n*** Install it, or set SETTLEMENT_CORE_DIR to a directory that has it in node_modules.\n',
    )
    return undefined
  }
}

/** A node whose messages reach the engine of the other node, as peered connectors do. */
class PeeredHost extends ScriptedHost {
  peer: { engine: Rfc38Engine; account: string } | undefined
  override async send(accountId: string, message: Buffer): Promise<Buffer> {
    if (this.peer === undefined) throw new Error('no peer yet')
    this.sent.push({ accountId, message })
    return await this.peer.engine.receive(this.peer.account, message)
  }
}

describe.skipIf(modulePath === undefined)('npm ilp-settlement-core as the foreign engine', () => {
  let directory: string
  let child: ChildProcess
  let network: FlakyProxy
  const hosts = { a: new PeeredHost(), b: new PeeredHost() }
  let engines: { a: Rfc38Engine; b: Rfc38Engine }
  let said = ''
  let errors = ''

  beforeAll(async () => {
    directory = mkdtempSync(join(tmpdir(), 'causeway-rfc38-'))
    const ports = {
      a: await freePort(),
      b: await freePort(),
      listenA: await freePort(),
      listenB: await freePort(),
    }
    const random = new SeededRandom(Number(process.env.RFC38_SEED ?? Date.now() & 0xffffffff))
    console.log(`rfc38 seed ${random.seed}`)
    network = new FlakyProxy(() => `http://127.0.0.1:${ports.a}`, random)
    await network.start()
    const make = (name: 'a' | 'b', url: string, port: number) =>
      makeEngine(directory, name, url, port, hosts[name])
    engines = {
      a: make('a', network.url, ports.listenA),
      b: make('b', `http://127.0.0.1:${ports.b}`, ports.listenB),
    }
    await engines.a.start()
    await engines.b.start()
    hosts.a.peer = { engine: engines.b, account: 'alice' }
    hosts.b.peer = { engine: engines.a, account: 'bob' }
    const values = [ports.a, engines.a.connectorUrl, ports.b, engines.b.connectorUrl].map(String)
    child = spawn(process.execPath, [CHILD, modulePath!, ...values], { stdio: ['ignore', 'pipe', 'pipe'] })
    child.stdout?.on('data', (chunk) => {
      said += chunk
    })
    child.stderr?.on('data', (chunk) => {
      errors += chunk
    })
    await waitFor('the engines to listen', () => answers(`http://127.0.0.1:${ports.b}`), DEADLINE_MS)
  }, DEADLINE_MS)

  afterAll(async () => {
    child.kill('SIGKILL')
    await Promise.all([engines.a.stop(), engines.b.stop()])
    await network.stop()
    rmSync(directory, { recursive: true, force: true })
  })

  it('sets accounts up, with messages between the engines through both nodes', async () => {
    await engines.b.openAccount(account('alice'))
    await engines.a.openAccount(account('bob'))
    const tell = async (engine: Rfc38Engine, id: string, address: string): Promise<string | undefined> => {
      const answer = await engine.receive(id, Buffer.from(JSON.stringify({ address }))).catch(() => undefined)
      return answer?.toString()
    }
    const isTold = (engine: Rfc38Engine, id: string, own: string, peer: string) => async () =>
      (await tell(engine, id, peer)) === JSON.stringify({ address: own })
    await waitFor('the address of a at b', isTold(engines.b, 'alice', 'ledger-b', 'ledger-a'), DEADLINE_MS)
    await waitFor('the address of b at a', isTold(engines.a, 'bob', 'ledger-a', 'ledger-b'), DEADLINE_MS)
    expect(hosts.a.sent.length + hosts.b.sent.length).toBeGreaterThan(0)
  })

  it(
    'settles exactly what it was told, over a connection that loses, repeats and reorders',
    async () => {
      const random = new SeededRandom(38)
      let asked = 0n
      for (let index = 0; index < SETTLEMENTS; index++) {
        const next = order(BigInt(1 + random.below(100_000_000)), 'bob')
        asked += next.quantity.amount
        await engines.a.settle(next)
      }
      await waitFor('all acknowledged', () => hosts.a.settledOrders.size === SETTLEMENTS, DEADLINE_MS)
      await network.quiet()
      // The ledger counts in millionths: the engine keeps the rest.
      const whole = asked / 1_000n
      await waitFor('all credited', () => hosts.b.total(9) === whole * 1_000n, DEADLINE_MS)
      child.kill('SIGTERM')
      await once(child, 'close')
      expect(errors).toBe('')
      expect(BigInt(JSON.parse(said).moved)).toBe(whole)
      expect(hosts.b.total(9)).toBe(whole * 1_000n)
    },
    2 * DEADLINE_MS,
  )
})

function makeEngine(
  directory: string,
  name: string,
  url: string,
  port: number,
  host: EngineHost,
): Rfc38Engine {
  const journal = new EngineJournal(join(directory, `${name}.db`))
  return new Rfc38Engine(
    { name: `core-${name}`, url, listen: { port }, retry: { firstMs: 2, maxMs: 200 } },
    { host, journal, clock: systemClock, logger: silentLogger, random: Math.random },
  )
}

async function answers(url: string): Promise<boolean> {
  try {
    await fetch(url)
    return true
  } catch {
    return false
  }
}

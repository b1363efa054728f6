import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { systemClock } from '../../../src/lib/clock.ts'
import { silentLogger } from '../../../src/lib/logger.ts'
import { EngineJournal } from '../../../src/settlement/rfc38/engine-journal.ts'
import { Rfc38Engine } from '../../../src/settlement/rfc38/rfc38-engine.ts'
import { type EngineHarness, settlementEngineCompliance } from '../../compliance/settlement-engine.ts'
import { waitFor } from '../../support/wait-for.ts'
import { post } from './support/connector-double.ts'
import { FAST_RETRY } from './support/engine-bench.ts'
import { EngineDouble } from './support/engine-double.ts'
import { account } from './support/orders.ts'

settlementEngineCompliance('rfc38', async (): Promise<EngineHarness> => {
  const directory = mkdtempSync(join(tmpdir(), 'causeway-rfc38-'))
  const foreign = new EngineDouble()
  let final = false
  let payments = 0
  let newest: Rfc38Engine | undefined
  foreign.before = ({ path }) => {
    if (path.endsWith('/messages')) return { status: 400, body: 'not a message of ours' }
    return path.endsWith('/settlements') && !final ? { status: 503 } : undefined
  }
  await foreign.start()
  return {
    patienceMs: 5_000,
    make: async (host) => {
      const options = { name: 'rfc38', url: foreign.url, listen: { port: 0 }, retry: FAST_RETRY }
      const journal = new EngineJournal(join(directory, 'engine.db'))
      const deps = { host, journal, clock: systemClock, logger: silentLogger, random: Math.random }
      newest = new Rfc38Engine(options, deps)
      return newest
    },
    crash: async (engine) => await engine.stop(),
    account,
    finalise: async (on) => {
      final = on
    },
    advance: async () => undefined,
    // Nothing that an RFC 38 engine answers says that it will never pay.
    refuse: undefined,
    peer: undefined,
    payIn: async (accountId, amount) => {
      if (accountId === undefined) {
        // The engine still knows an account that the node has closed.
        await newest!.openAccount(account('left'))
        await newest!.closeAccount('left')
      }
      const credit = { account: accountId ?? 'left', key: `payment-${++payments}`, amount, scale: 9 }
      const pay = async () => (await post(newest!.connectorUrl!, credit, false)) === 201
      await waitFor('the credit to be taken', pay)
      return { amount, scale: 9 }
    },
    dispose: async () => {
      await foreign.stop()
      rmSync(directory, { recursive: true, force: true })
    },
  }
})

import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ScriptedEngine } from '../support/scripted-engine.ts'
import { type EngineHarness, settlementEngineCompliance } from './settlement-engine.ts'

settlementEngineCompliance('scripted', async (): Promise<EngineHarness> => {
  const directory = await mkdtemp(join(tmpdir(), 'causeway-engine-'))
  const refused = new Set<string>()
  let final = false
  let payments = 0
  let newest: ScriptedEngine | undefined
  return {
    patienceMs: 5_000,
    make: async (host) => {
      newest = new ScriptedEngine({ path: join(directory, 'engine.json') }, { host })
      newest.outcome = (id) => {
        if (!final) return 'open'
        return refused.has(id) ? 'refused' : 'settled'
      }
      return newest
    },
    crash: async (engine) => await engine.stop(),
    account: (id) => ({
      id,
      assetCode: 'XRP',
      assetScale: 9,
      ownAddress: 'test.us',
      peerAddress: `test.${id}`,
      options: {},
    }),
    finalise: async (on) => {
      final = on
    },
    advance: async () => await newest?.carryOut(),
    refuse: async (order) => {
      refused.add(order.id)
      return order
    },
    peer: undefined,
    payIn: async (accountId, amount) => {
      const quantity = { amount, scale: 9 }
      newest?.payIn({
        id: `payment-${++payments}`,
        accountId,
        assetCode: 'XRP',
        quantity,
        sender: 'somebody',
      })
      return quantity
    },
    dispose: async () => await rm(directory, { recursive: true, force: true }),
  }
})

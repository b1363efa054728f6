import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { EngineProcess } from '../interop/support/engine-process.ts'
import { freePort } from '../support/free-port.ts'
import { SettlingNodes } from '../support/settling-nodes.ts'
import { waitFor } from '../support/wait-for.ts'

const SETTLED_MS = 60_000
const TIMEOUT_MS = 150_000
const THRESHOLD = '3000000'

/** left ── RFC 38 ── causeway engine evm ── chain ── right, whose engine runs in its own process. */
describe('a node whose engine runs apart, behind RFC 38', () => {
  const engine = new EngineProcess('evm')
  let nodes: SettlingNodes

  beforeAll(async () => {
    const port = await freePort()
    nodes = await SettlingNodes.create(
      { threshold: THRESHOLD },
      {
        secrets: { engine: engine.token },
        leftEngine: async (evm) => {
          await engine.configure(evm, {
            connector: { url: `http://127.0.0.1:${port}` },
            accountDefaults: { asset: { code: 'USD', scale: 6 }, ownAddress: 'test.left' },
          })
          await engine.start()
          return { type: 'rfc38', url: engine.url, token: 'secret:engine', listen: { port } }
        },
      },
    )
    await nodes.start()
  }, TIMEOUT_MS)
  afterAll(async () => {
    await nodes?.destroy()
    await engine.destroy()
  })

  it(
    'pays and is paid by a peer whose engine runs in its node, over kills of the engine',
    async () => {
      const { left, right } = nodes
      for (const [from, to] of [
        [left, right],
        [right, left],
      ] as const) {
        expect(await nodes.pay(from, '10000000')).toBe(10_000_000n)
        await engine.end('SIGKILL')
        await engine.start()
        await waitFor(
          'it is settled',
          async () => {
            const paid = await nodes.sum(from, 'out')
            return paid >= 7_000_000n && (await nodes.sum(to, 'in')) === paid
          },
          SETTLED_MS,
        )
      }
      const owed = await left.process.balance('right')
      expect(await right.process.balance('left')).toBe(-owed)
      expect(owed).toBe((await nodes.sum(right, 'out')) - (await nodes.sum(left, 'out')))
    },
    TIMEOUT_MS,
  )

  it('agrees with journal and engines on both sides', async () => {
    for (const { process } of nodes.both) {
      const report = await process.admin('POST', '/settlements/reconcile')
      expect(report).toMatchObject({ discrepancies: [], unchecked: [] })
    }
  })
})

import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { SettlingNodes } from '../support/settling-nodes.ts'
import { findTigerBeetleOrWarn, TigerBeetleServer } from '../support/tigerbeetle-server.ts'
import { waitFor } from '../support/wait-for.ts'

const SETTLED_MS = 60_000
const TIMEOUT_MS = 150_000
const THRESHOLD = 3_000_000n

const binary = findTigerBeetleOrWarn('the tests of settlement over TigerBeetle')

describe.skipIf(binary === undefined)('two nodes that keep their books in TigerBeetle', () => {
  let server: TigerBeetleServer
  let nodes: SettlingNodes

  beforeAll(async () => {
    server = await TigerBeetleServer.start(binary!)
    const ledger = (mode: string, namespace: string) => ({
      backend: 'tigerbeetle',
      mode,
      tigerbeetle: { addresses: [server.address], namespace },
    })
    const ledgers = { left: ledger('exclusive', 'left'), right: ledger('shared', 'right') }
    nodes = await SettlingNodes.create({ threshold: String(THRESHOLD) }, { ledgers })
    await nodes.start()
  }, TIMEOUT_MS)
  afterAll(async () => {
    await nodes?.destroy()
    await server?.stop()
  })

  it.each([
    ['exclusive', 'left', 'right'],
    ['shared', 'right', 'left'],
  ] as const)(
    'settle what the payer in mode %s owes, to the unit',
    async (_, payer, payee) => {
      const [from, to] = [nodes[payer], nodes[payee]]
      const before = await from.process.balance(payee)
      expect(await nodes.pay(from, '10000000')).toBe(10_000_000n)
      await waitFor('it is paid', async () => (await from.process.balance(payee)) < THRESHOLD, SETTLED_MS)
      const paid = await waitFor(
        'the payee has booked it',
        async () => {
          const sum = await nodes.sum(from, 'out')
          return (await nodes.sum(to, 'in')) === sum ? sum : undefined
        },
        SETTLED_MS,
      )
      expect(await from.process.balance(payee)).toBe(before + 10_000_000n - paid)
      expect(await to.process.balance(payer)).toBe(-(before + 10_000_000n - paid))
    },
    TIMEOUT_MS,
  )

  it('agree with journal and engine', async () => {
    for (const { process } of nodes.both) {
      const report = await process.admin('POST', '/settlements/reconcile')
      expect(report).toMatchObject({ discrepancies: [], unchecked: [] })
    }
  })
})

import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { SettlingNodes, START_MS } from '../support/settling-nodes.ts'
import { waitFor } from '../support/wait-for.ts'
import { run } from '../unit/cli/cli-helpers.ts'

const CHAIN_MS = 60_000

interface AccountRow {
  shutReason?: string
  openAmount: string
}

describe('a node that settles and loses its journal, but not its ledger', () => {
  let nodes: SettlingNodes

  const account = async () => await nodes.left.process.admin<AccountRow>('GET', '/settlements/accounts/right')
  /** A command as it is typed beside the node's configuration. */
  const at = async (...words: string[]) =>
    await run(words, { workingDirectory: nodes.left.process.directory, now: Date.now })
  const settled = async (out: bigint, into: bigint) =>
    await waitFor(
      `the left has paid ${out} and the right was credited ${into}`,
      async () =>
        (await nodes.sum(nodes.left, 'out')) === out && (await nodes.sum(nodes.right, 'in')) === into,
      CHAIN_MS,
    )

  beforeAll(async () => {
    nodes = await SettlingNodes.create({ threshold: '1000000', settleTo: '0' })
    await nodes.start()
  }, 90_000)
  afterAll(async () => await nodes?.destroy())

  it('pays nothing and marks nothing as paid until an operator accepts what the ledger has', async () => {
    expect(await nodes.pay(nodes.left, '5000000')).toBe(5_000_000n)
    await settled(5_000_000n, 5_000_000n)
    expect(await nodes.pay(nodes.right, '3000000')).toBe(3_000_000n)
    await waitFor(
      'the left was paid too',
      async () => (await nodes.sum(nodes.left, 'in')) === 3_000_000n,
      CHAIN_MS,
    )

    const { process } = nodes.left
    process.signal('SIGTERM')
    expect(await process.ended()).toBe(0)
    for (const suffix of ['', '-wal', '-shm']) {
      rmSync(join(process.dataDirectory, `node.sqlite${suffix}`), { force: true })
    }
    await process.start({}, START_MS)
    await nodes.connected()

    expect(await nodes.pay(nodes.left, '4000000')).toBe(4_000_000n)
    const { shutReason } = await waitFor('the difference is seen', async () => {
      const row = await account()
      return row.shutReason?.includes('accept-difference') ? row : undefined
    })
    expect(shutReason).toContain('of scale 6: 5000000, by the journal 0; received from peers')
    expect(shutReason).toContain('accept-difference evm --asset USD --amount 2000000)')
    expect(process.output).toContain('nothing is planned or handed over until they do')
    expect((await at('settlements', 'accounts')).out).toContain('held up')
    expect((await at('settlements', 'settle-now', 'right')).err).toContain('do not agree')
    const metrics = await fetch(`http://127.0.0.1:${process.adminPort}/metrics`)
    expect(await metrics.text()).toMatch(/^causeway_settlement_engine_shut\{.*engine="evm".*\} 1$/m)
    expect(await nodes.settlements(nodes.left, 'out')).toEqual([])
    expect(await nodes.sum(nodes.right, 'in')).toBe(5_000_000n)

    const accept = (amount: string) =>
      at(
        ...['settlements', 'accept-difference', 'evm', '--asset', 'USD'],
        ...['--amount', amount, '--reason', 'node.sqlite was lost with its disk'],
      )
    expect((await accept('1999999')).err).toContain('the difference is 2000000, not 1999999')
    expect(await accept('2000000')).toMatchObject({ code: 0, err: '' })

    await settled(4_000_000n, 9_000_000n)
    expect(await nodes.pay(nodes.left, '2000000')).toBe(2_000_000n)
    await settled(6_000_000n, 11_000_000n)
    expect(await nodes.pay(nodes.right, '1000000')).toBe(1_000_000n)
    const isPaid = async () => (await nodes.sum(nodes.left, 'in')) === 1_000_000n
    await waitFor('the left was paid for what is new', isPaid, CHAIN_MS)
    for (const [node, peer] of [
      [nodes.left, 'right'],
      [nodes.right, 'left'],
    ] as const) {
      expect(await node.process.balance(peer)).toBe(0n)
    }
    expect((await account()).shutReason).toBeUndefined()
    for (const { process: node } of nodes.both) {
      const report = await node.admin<object>('POST', '/settlements/reconcile')
      expect(report).toMatchObject({ discrepancies: [], unchecked: [] })
    }
  }, 240_000)
})

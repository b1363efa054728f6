import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type ChannelRow, type SettlingNode, SettlingNodes } from '../support/settling-nodes.ts'
import { waitFor } from '../support/wait-for.ts'

const SETTLED_MS = 60_000
const TIMEOUT_MS = 150_000
const THRESHOLD = 3_000_000n

interface Health {
  status: string
  dependencies: Record<string, { status: string; latencyMs?: number }>
}

describe('two nodes that settle over an EVM chain', () => {
  let nodes: SettlingNodes
  const owed = async ({ process, name }: SettlingNode) =>
    await process.balance(name === 'left' ? 'right' : 'left')
  /** Resolves with all that was settled once nothing is under way and both sides say the same. */
  const settled = async (payer: SettlingNode, payee: SettlingNode, least: bigint) =>
    await waitFor(
      'both sides have the same settlements',
      async () => {
        const paid = await nodes.sum(payer, 'out')
        return paid >= least && (await nodes.sum(payee, 'in')) === paid ? paid : undefined
      },
      SETTLED_MS,
    )
  const channel = async (node: SettlingNode, direction: 'in' | 'out'): Promise<ChannelRow> => {
    const found = (await nodes.channels(node)).filter((one) => one.direction === direction)
    expect(found).toHaveLength(1)
    return found[0]!
  }
  const metric = async ({ process }: SettlingNode, series: string) => {
    const page = await (await fetch(`http://127.0.0.1:${process.adminPort}/metrics`)).text()
    const line = page.split('\n').find((one) => one.startsWith(`${series} `))
    return line === undefined ? undefined : Number(line.slice(series.length + 1))
  }

  beforeAll(async () => {
    nodes = await SettlingNodes.create({ threshold: String(THRESHOLD) })
    await nodes.start()
  }, TIMEOUT_MS)
  afterAll(async () => await nodes?.destroy())

  it(
    'pays by vouchers once the threshold is passed, and both books say the same',
    async () => {
      expect(await nodes.pay(nodes.left, '10000000')).toBe(10_000_000n)
      const paid = await settled(nodes.left, nodes.right, 10_000_000n - THRESHOLD + 1n)
      expect(await owed(nodes.left)).toBe(10_000_000n - paid)
      expect(await owed(nodes.right)).toBe(paid - 10_000_000n)
      const out = await channel(nodes.left, 'out')
      expect(out).toMatchObject({ state: 'open', deposit: '50000000', claimed: '0' })
      expect(BigInt(out.unclaimed)).toBe(paid)
      expect(await channel(nodes.right, 'in')).toMatchObject({ id: out.id, unclaimed: out.unclaimed })
    },
    TIMEOUT_MS,
  )

  it('shows the chain in its health, and settlements and channels in its metrics', async () => {
    const health = await waitFor('the chain is up', async () => {
      const body = (await nodes.left.process.get('/health')).body as Health
      return body.dependencies.evm?.status === 'up' ? body : undefined
    })
    expect(health.status).toBe('healthy')
    expect(health.dependencies.evm!.latencyMs).toBeGreaterThanOrEqual(0)
    const count = (await nodes.settlements(nodes.left, 'out')).length
    const { left } = nodes
    expect(await metric(left, 'settlements_executed_total{method="evm",status="success"}')).toBe(count)
    expect(await metric(left, 'settlement_latency_seconds_count{method="evm"}')).toBe(count)
    expect(await metric(left, 'settlement_amount_total{method="evm",token="USD"}')).toBe(
      Number(await nodes.sum(left, 'out')),
    )
    await waitFor(
      'the channel is counted',
      async () => (await metric(left, 'payment_channels_active{method="evm",status="open"}')) === 1,
    )
    expect(await metric(left, 'payment_channels_funded_total{method="evm"}')).toBe(1)
    expect(await metric(left, 'causeway_settlements_open{engine="evm"}')).toBe(0)
  })

  it('settles only by hand while the account is paused and then resumed', async () => {
    const before = await nodes.sum(nodes.left, 'out')
    const account = (verb: string) => `/settlements/accounts/right/${verb}`
    await nodes.left.process.admin('POST', account('pause'), { reason: 'the auditors are here' })
    await nodes.pay(nodes.left, '4000000')
    await expect(nodes.left.process.admin('POST', account('settle-now'), {})).rejects.toThrow(/paused/)
    expect(await nodes.sum(nodes.left, 'out')).toBe(before)
    await nodes.left.process.admin('POST', account('resume'))
    const due = await waitFor('it is settled', async () => {
      const paid = await nodes.sum(nodes.left, 'out')
      return paid > before ? paid : undefined
    })
    expect(due).toBeGreaterThanOrEqual(before + 4_000_000n)
  })

  it(
    'tops up, claims and closes on request, and the chain has what the books say',
    async () => {
      const { left, right } = nodes
      const paid = await settled(left, right, 1n)
      const { id } = await channel(left, 'out')
      await left.process.admin('POST', `/channels/${id}/top-up`, { amount: '7000000' })
      await waitFor(
        'both see the deposit',
        async () =>
          (await channel(left, 'out')).deposit === '57000000' &&
          (await channel(right, 'in')).deposit === '57000000',
        SETTLED_MS,
      )
      const tokens = await nodes.chain.tokenBalance(right.address)
      await right.process.admin('POST', `/channels/${id}/claim`)
      await waitFor(
        'the claim is final',
        async () => (await channel(right, 'in')).claimed === String(paid),
        SETTLED_MS,
      )
      expect(await nodes.chain.tokenBalance(right.address)).toBe(tokens + paid)
      const rest = await nodes.chain.tokenBalance(left.address)
      await right.process.admin('POST', `/channels/${id}/close`)
      await waitFor(
        'both know that it is closed',
        async () =>
          (await channel(left, 'out')).state === 'closed' && (await channel(right, 'in')).state === 'closed',
        SETTLED_MS,
      )
      expect(await nodes.chain.tokenBalance(left.address)).toBe(rest + 57_000_000n - paid)
      await waitFor('it is counted', async () => {
        const closed = await metric(left, 'payment_channels_closed_total{method="evm",reason="cooperative"}')
        return closed === 1
      })
    },
    TIMEOUT_MS,
  )

  it(
    'agrees with journal, engine and chain on both sides in the end',
    async () => {
      for (const { process } of nodes.both) {
        const report = await process.admin('POST', '/settlements/reconcile')
        expect(report).toMatchObject({ accountsChecked: 1, discrepancies: [], unchecked: [] })
      }
      expect(await metric(nodes.left, 'causeway_settlement_difference{engine="evm",token="USD"}')).toBe(0)
    },
    TIMEOUT_MS,
  )

  it('refuses settings of a peer that cannot work, and changes nothing', async () => {
    const { process } = nodes.left
    const change = (settlement: object) => process.admin('PATCH', '/peers/right', { settlement })
    const terms = { engine: 'evm', threshold: '5000000' }
    await expect(change({ ...terms, engine: 'xrp' })).rejects.toThrow(/no settlement engine/)
    await expect(change({ ...terms, settleTo: '5000000' })).rejects.toThrow(/settleTo/)
    await expect(change({ ...terms, options: { mode: 'barter' } })).rejects.toThrow(/mode/)
    const [account] = await process.admin<{ threshold: string }[]>('GET', '/settlements/accounts')
    expect(account!.threshold).toBe(String(THRESHOLD))
    await change(terms)
    const [changed] = await process.admin<{ threshold: string }[]>('GET', '/settlements/accounts')
    expect(changed!.threshold).toBe('5000000')
  })
})

import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  type ChannelRow,
  type SettlementRow,
  type SettlingNode,
  SettlingNodes,
} from '../support/settling-nodes.ts'
import { waitFor } from '../support/wait-for.ts'
import { run } from '../unit/cli/cli-helpers.ts'

const CHAIN_MS = 60_000
interface EngineRow {
  name: string
  trouble?: string
}

/** More than it takes here until a block is final. */
const FINAL_BLOCKS_MAX = 20
/** Nothing settles by itself. */
const NEVER = '1000000000'

describe('an operator at the command line of two nodes that settle over an EVM chain', () => {
  let nodes: SettlingNodes

  /** A command as it is typed beside the node's configuration. */
  const at = async ({ process }: SettlingNode, line: string) =>
    await run(line.split(' '), { workingDirectory: process.directory, now: Date.now })
  const json = async <T>(node: SettlingNode, line: string): Promise<T> => {
    const { code, err, out } = await at(node, `${line} --json`)
    expect({ line, code, err }).toEqual({ line, code: 0, err: '' })
    return JSON.parse(out) as T
  }
  const channel = async (node: SettlingNode, wanted: (row: ChannelRow) => boolean) =>
    await waitFor(
      'the channel is as wanted',
      async () => (await json<ChannelRow[]>(node, 'channels list')).find(wanted),
      CHAIN_MS,
    )

  beforeAll(async () => {
    nodes = await SettlingNodes.create({ threshold: NEVER })
    await nodes.start()
  }, 90_000)
  afterAll(async () => await nodes?.destroy())

  it('opens a channel, settles, tops up, claims and closes, and finds the books agree', async () => {
    const { left, right } = nodes
    const opened = await json<ChannelRow>(left, 'channels open right 100 --whole')
    expect(opened).toMatchObject({ state: 'opening', direction: 'out', deposit: '0' })
    await channel(left, ({ id, state }) => id === opened.id && state === 'open')

    expect(await nodes.pay(left, '10000000')).toBe(10_000_000n)
    expect((await at(left, 'settlements settle-now right 10.1 --whole')).err).toContain(
      'only 10000000 is owed',
    )
    const [settlement] = await json<SettlementRow[]>(left, 'settlements settle-now right 4.5 --whole')
    expect(settlement).toMatchObject({ amount: '4500000', direction: 'out' })
    const show = async () => await json<SettlementRow>(left, `settlements show ${settlement!.id}`)
    await waitFor('it is settled', async () => (await show()).state === 'settled', CHAIN_MS)
    await waitFor('the payee has booked it', async () => (await nodes.sum(right, 'in')) === 4_500_000n)
    expect((await at(right, 'settlements list --direction in')).out).toContain('4.500000 USD')

    await json(left, `channels top-up ${opened.id} 25 --whole`)
    await channel(left, ({ deposit, id }) => id === opened.id && deposit === '125000000')
    await json(right, `channels claim ${opened.id}`)
    await channel(right, ({ claimed, id }) => id === opened.id && claimed === '4500000')
    expect((await at(left, `channels claim ${opened.id}`)).err).toContain('(CONFLICT)')

    await json(left, 'settlements pause right --reason maintenance')
    expect((await at(left, 'settlements settle-now right')).err).toContain('paused: resume it first')
    await json(left, 'settlements resume right')

    await json(right, `channels close ${opened.id}`)
    for (const node of nodes.both) {
      await channel(node, ({ id, state }) => id === opened.id && state === 'closed')
      expect((await at(node, 'settlements reconcile')).out).toContain('ledger, journal and engines agree')
    }
  }, 180_000)

  it('sees an engine halted whose key something else has used, and resumes it', async () => {
    const { chain, left } = nodes
    const engine = async () => (await json<EngineRow[]>(left, 'settlements engines'))[0]!
    // Scrapes are not limited, as operators' requests are.
    const metric = async (series: string) => {
      const page = await (await fetch(`http://127.0.0.1:${left.process.adminPort}/metrics`)).text()
      return page.split('\n').find((line) => line.startsWith(`${series} `))
    }
    const up = async () => (await metric('causeway_settlement_engine_up{engine="evm"}'))?.at(-1)
    expect(await engine()).toMatchObject({
      name: 'evm',
      type: 'evm',
      running: true,
      accounts: 1,
      channels: 0,
    })
    expect(await up()).toBe('1')
    expect((await at(left, 'settlements resume-engine evm')).err).toContain('not halted')

    await chain.send(left.address, '0x', left.address, 1n)
    await json(left, 'channels open right 50 --whole')
    await waitFor('it is halted', async () => (await up()) === '0', CHAIN_MS)
    const { trouble } = await engine()
    expect(trouble).toContain('another process uses the key')
    expect((await at(left, 'settlements engines')).out).toMatch(/^evm +evm +in trouble /m)
    const health = (await left.process.get('/health')).body
    expect(health).toMatchObject({ dependencies: { evm: { status: 'up' } } })

    const isResumed = async () =>
      (await at(left, 'settlements resume-engine evm')).out.startsWith('resumed evm\n')
    // It may have signed something under the same nonce: then it waits for the end of that.
    for (let block = 0; !(await isResumed()); block++) {
      expect(block).toBeLessThan(FINAL_BLOCKS_MAX)
      const seen = await chain.anvil.blockNumber()
      await waitFor('a block', async () => (await chain.anvil.blockNumber()) > seen)
    }
    expect(await engine()).not.toHaveProperty('trouble')
    await waitFor('a scrape shows it', async () => (await up()) === '1')
    const open = 'payment_channels_active{method="evm",status="open"}'
    await waitFor('what waited is sent', async () => (await metric(open)) === `${open} 1`, CHAIN_MS)
  }, 180_000)
})

import { describe, expect, it } from 'vitest'
import { ok, refused, runOn, stubNode } from './cli-helpers.ts'

const ID = `0x${'ab'.repeat(32)}`

const CHANNEL = {
  id: ID,
  engine: 'evm',
  accountId: 'bob',
  assetCode: 'USD',
  direction: 'out',
  state: 'open',
  token: '0xcdcd',
  tokenScale: 18,
  deposit: '340282366920938463463374607431768211455',
  claimed: '0',
  unclaimed: '1500000000000000000',
}

const ACCOUNT = { accountId: 'bob', engine: 'evm', assetCode: 'USD', assetScale: 6, engineScale: 18 }

describe('channels', () => {
  it('are listed with exact amounts, and filtered', async () => {
    const closing = {
      ...CHANNEL,
      id: 'c2',
      assetCode: undefined,
      direction: 'in',
      state: 'closing',
      deposit: '1',
    }
    const node = await stubNode({
      'GET /settlements/engines': () =>
        ok([
          { name: 'evm', running: true },
          { name: 'base', running: false },
        ]),
      'GET /channels': () => ok([CHANNEL, { ...closing, expiresAtMs: 0 }]),
    })
    const { code, err, out } = await runOn(node, ['channels'])
    expect([code, err]).toEqual([0, 'warning: the engine base does not run: its channels are not shown\n'])
    const [head, open, late] = out.split('\n').map((line) => line.split(/ {2,}/))
    expect(head).toEqual([
      ...['ACCOUNT', 'WAY', 'STATE', 'DEPOSIT', 'CLAIMED', 'UNCLAIMED', 'EXPIRES', 'ENGINE', 'ID'],
    ])
    expect(open).toEqual([
      ...['bob', 'out', 'open', '340282366920938463463.374607431768211455 USD'],
      ...['0.000000000000000000', '1.500000000000000000', 'evm', ID],
    ])
    expect(late).toEqual([
      ...['bob', 'in', 'closing', '0.000000000000000001 0xcdcd'],
      ...['0.000000000000000000', '1.500000000000000000', '1970-01-01T00:00:00.000Z', 'evm', 'c2'],
    ])
    const filters = '--account bob --engine evm --direction out --state open --json'.split(' ')
    expect(JSON.parse((await runOn(node, ['channels', 'list', ...filters])).out)).toHaveLength(2)
    expect(node.requests.at(-1)?.path).toBe(
      '/channels?accountId=bob&direction=out&engine=evm&state=open&limit=10000&offset=0',
    )
    expect((await runOn(node, ['channels', 'list', '--state', 'gone'])).code).toBe(2)
  })

  it('are shown one by one', async () => {
    const node = await stubNode({ [`GET /channels/${ID}`]: () => ok(CHANNEL) })
    const { out } = await runOn(node, ['channels', 'show', ID])
    expect(out).toContain('way:       out: we pay\n')
    expect(out).toContain('token:     0xcdcd, 18 decimal places\n')
    expect(out).toContain('unclaimed: 1.500000000000000000 USD\n')
    expect((await runOn(node, ['channels', 'show', '0x1'])).code).toBe(5)
  })

  it('are opened with a deposit in units of the engine, or in whole ones', async () => {
    const node = await stubNode({
      'GET /settlements/accounts/bob': () => ok(ACCOUNT),
      'GET /settlements/accounts/zoe': () => ok({ ...ACCOUNT, engineScale: undefined }),
      'POST /channels': () => ok({ ...CHANNEL, state: 'opening' }),
    })
    const { out } = await runOn(node, ['channels', 'open', 'bob', '50', '--whole'])
    expect(out).toContain('state:     opening\n')
    expect(node.requests.at(-1)?.body).toEqual({ accountId: 'bob', deposit: '50000000000000000000' })
    expect(node.requests.at(-1)?.headers['idempotency-key']).toBeDefined()
    await runOn(node, ['channels', 'open', 'bob', '7'])
    expect(node.requests.at(-1)?.body).toEqual({ accountId: 'bob', deposit: '7' })
    expect((await runOn(node, ['channels', 'open', 'bob', '1.5'])).code).toBe(2)
    expect(await runOn(node, ['channels', 'open', 'zoe', '7'])).toMatchObject({
      code: 5,
      err: expect.stringContaining('the engine evm does not run'),
    })
  })

  it('are topped up, claimed and closed', async () => {
    const node = await stubNode({
      [`GET /channels/${ID}`]: () => ok(CHANNEL),
      [`POST /channels/${ID}/top-up`]: () => ok(CHANNEL),
      [`POST /channels/${ID}/claim`]: () => refused(409, 'CONFLICT', `channel ${ID} is open, direction out`),
      [`POST /channels/${ID}/close`]: () => ok({ ...CHANNEL, state: 'closing', expiresAtMs: 0 }),
    })
    expect((await runOn(node, ['channels', 'top-up', ID, '0.25', '--whole'])).code).toBe(0)
    expect(node.requests.at(-1)?.body).toEqual({ amount: '250000000000000000' })
    expect((await runOn(node, ['channels', 'top-up', ID, '0'])).code).toBe(2)
    expect(await runOn(node, ['channels', 'claim', ID])).toMatchObject({
      code: 5,
      err: expect.stringContaining('direction out (CONFLICT)'),
    })
    const { code, out } = await runOn(node, ['channels', 'close', ID, '--json'])
    expect({ code, state: (JSON.parse(out) as { state: string }).state }).toEqual({
      code: 0,
      state: 'closing',
    })
    expect(node.requests.at(-1)?.headers['idempotency-key']).toBeDefined()
  })
})

import { describe, expect, it } from 'vitest'
import { hangUp, ok, refused, runOn, stubNode } from './cli-helpers.ts'

const OUT = {
  id: '019a-1',
  direction: 'out',
  accountId: 'bob',
  engine: 'evm',
  assetCode: 'USD',
  amount: '18446744073709551617',
  assetScale: 6,
  quantity: { amount: '18446744073709551617000000000000', scale: 18 },
  state: 'handed-over',
  cause: 'threshold',
  createdMs: 0,
  updatedMs: 1_000,
  cursor: '7',
}

const STRAY = {
  id: 'evm:1:0xab:3',
  direction: 'in',
  engine: 'evm',
  assetCode: 'USD',
  quantity: { amount: '5', scale: 18 },
  state: 'suspended',
  sender: '0xe\u001B[2Jve',
  reason: 'unknown sender',
  createdMs: 0,
  updatedMs: 0,
  cursor: '6',
}

const ACCOUNT = {
  accountId: 'bob',
  engine: 'evm',
  engineRunning: true,
  assetCode: 'USD',
  assetScale: 6,
  engineScale: 18,
  threshold: '1000000',
  settleTo: '0',
  minAmount: '0',
  pausedByConfiguration: false,
  open: 2,
  openAmount: '2500000',
  openSinceMs: 0,
  remainder: { amount: '999', scale: 18 },
}

const REPORT = {
  checkedAtMs: 0,
  accountsChecked: 2,
  discrepancies: [] as unknown[],
  unchecked: [] as unknown[],
}

describe('settlements', () => {
  it('are listed with exact amounts, filtered and page by page', async () => {
    const node = await stubNode({ 'GET /settlements': () => ok([OUT, STRAY]) })
    const { code, out } = await runOn(node, ['settlements', '--limit', '2'])
    expect(code).toBe(0)
    expect(out).toBe(
      'TIME                      WAY  ACCOUNT                        AMOUNT  STATE        ENGINE  ID            REASON\n' +
        '1970-01-01T00:00:00.000Z  out  bob         18446744073709.551617 USD  handed-over  evm     019a-1\n' +
        '1970-01-01T00:00:00.000Z  in   (suspense)   0.000000000000000005 USD  suspended    evm     evm:1:0xab:3  unknown sender\n' +
        '\nolder ones: --before 6\n',
    )
    const filters = '--account bob --direction out --state held --before 9 --json'.split(' ')
    const json = await runOn(node, ['settlements', 'list', ...filters])
    expect(node.requests.at(-1)?.path).toBe(
      '/settlements?accountId=bob&before=9&direction=out&limit=50&state=held',
    )
    expect(JSON.parse(json.out)).toEqual([OUT, STRAY])
    expect((await runOn(node, ['settlements', 'list', '--state', 'lost'])).code).toBe(2)
    expect((await runOn(node, ['settlements', 'list', '--direction', 'up'])).code).toBe(2)
    const empty = await stubNode({ 'GET /settlements': () => ok([]) })
    expect((await runOn(empty, ['settlements'])).out).toBe('no such settlements\n')
  })

  it('are shown one by one, without what a sender would like to do to the terminal', async () => {
    const node = await stubNode({ 'GET /settlements/evm%3A1%3A0xab%3A3': () => ok(STRAY) })
    const { out } = await runOn(node, ['settlements', 'show', STRAY.id])
    expect(out).toContain('account:        none yet: it stands in suspense\n')
    expect(out).toContain('on the network: 0.000000000000000005 USD\n')
    expect(out).toContain('sender:         0xe?[2Jve\n')
    expect((await runOn(node, ['settlements', 'show', 'other'])).code).toBe(5)
  })

  it('are explained per account', async () => {
    const paused = { ...ACCOUNT, accountId: 'eve', paused: { reason: 'looking', sinceMs: 0 } }
    const away = { ...ACCOUNT, accountId: 'zoe', engineRunning: false, engineScale: undefined }
    const node = await stubNode({
      'GET /settlements/accounts': () => ok([ACCOUNT, paused, away]),
      'GET /settlements/accounts/eve': () => ok({ ...paused, retryAtMs: 5 }),
    })
    expect((await runOn(node, ['settlements', 'accounts'])).out).toBe(
      'ACCOUNT  ASSET  SCALE  ENGINE  SCALE THERE  THRESHOLD  SETTLE TO  OPEN  OPEN AMOUNT  STATUS\n' +
        'bob      USD        6  evm              18   1.000000   0.000000     2     2.500000  active\n' +
        'eve      USD        6  evm              18   1.000000   0.000000     2     2.500000  paused\n' +
        'zoe      USD        6  evm                   1.000000   0.000000     2     2.500000  the engine does not run\n',
    )
    expect(node.requests[0]?.path).toBe('/settlements/accounts?limit=200&offset=0')
    const { out } = await runOn(node, ['settlements', 'accounts', 'eve'])
    expect(out).toContain('open:      2, 2.500000 USD, the oldest since 1970-01-01T00:00:00.000Z\n')
    expect(out).toContain('remainder: 0.000000000000000999 USD\n')
    expect(out).toContain('paused:    since 1970-01-01T00:00:00.000Z: looking\n')
  })

  it('are made now: all, so many units, or so many whole ones', async () => {
    const node = await stubNode({
      'GET /settlements/accounts/bob': () => ok(ACCOUNT),
      'POST /settlements/accounts/bob/settle-now': () => ok([OUT]),
    })
    const bodies = async (...args: string[]) => {
      const { code } = await runOn(node, ['settlements', 'settle-now', 'bob', ...args])
      return [code, node.requests.at(-1)?.body]
    }
    expect(await bodies()).toEqual([0, {}])
    expect(await bodies('18446744073709551617')).toEqual([0, { amount: '18446744073709551617' }])
    expect(await bodies('12.5', '--whole')).toEqual([0, { amount: '12500000' }])
    const before = node.requests.filter(({ method }) => method === 'POST').length
    for (const wrong of ['0', '1.5', '1e3', 'x', '9'.repeat(39)]) expect((await bodies(wrong))[0]).toBe(2)
    expect((await bodies('0.0000001', '--whole'))[0]).toBe(2)
    expect(node.requests.filter(({ method }) => method === 'POST')).toHaveLength(before)
    expect((await runOn(node, ['settlements', 'now', 'nobody'])).code).toBe(5)
  })

  it('are asked for under one key when the answer is lost, so that the node settles once', async () => {
    let calls = 0
    const node = await stubNode({
      'GET /settlements/accounts/bob': () => ok(ACCOUNT),
      'POST /settlements/accounts/bob/settle-now': () => (++calls < 3 ? hangUp : ok([OUT])),
    })
    expect((await runOn(node, ['settlements', 'now', 'bob', '5'])).code).toBe(0)
    const keys = node.requests
      .filter(({ method }) => method === 'POST')
      .map(({ headers }) => headers['idempotency-key'])
    expect(keys).toHaveLength(3)
    expect(new Set(keys).size).toBe(1)
    expect(keys[0]).toMatch(/^[0-9a-f-]{36}$/)
    calls = -10
    const { code, err } = await runOn(node, ['settlements', 'now', 'bob', '5'])
    expect({ code, err }).toMatchObject({ code: 7, err: expect.stringContaining('It may have happened') })
  })

  it('are paused and resumed', async () => {
    const node = await stubNode({
      'POST /settlements/accounts/bob/pause': () => ok(ACCOUNT),
      'POST /settlements/accounts/bob/resume': () => ok({ ...ACCOUNT, pausedByConfiguration: true }),
    })
    const { out } = await runOn(node, ['settlements', 'pause', 'bob', '--reason', 'chain upgrade'])
    expect(out).toBe('paused bob; what its engine has already goes on\n')
    expect(node.requests[0]?.body).toEqual({ reason: 'chain upgrade' })
    const paused = await stubNode({
      'POST /settlements/accounts/bob/pause': () =>
        ok({ ...ACCOUNT, paused: { reason: 'flood', sinceMs: 1 } }),
    })
    expect((await runOn(paused, ['settlements', 'pause', 'bob', '--reason', 'x'])).out).toBe(
      'paused bob (it was paused before: flood); what its engine has already goes on\n',
    )
    expect((await runOn(node, ['settlements', 'resume', 'bob'])).out).toBe(
      'resumed bob, but the configuration pauses it\n',
    )
    expect((await runOn(node, ['settlements', 'pause', 'bob'])).code).toBe(2)
  })

  it('are compared with ledger and engines; what does not agree, or cannot be seen, fails', async () => {
    let report = REPORT
    const node = await stubNode({
      'POST /settlements/reconcile': () => ok(report),
      'GET /settlements/reconcile': () => ok(report),
    })
    const good = await runOn(node, ['settlements', 'reconcile'])
    expect({ code: good.code, out: good.out }).toEqual({
      code: 0,
      out: '2 accounts were checked, 1970-01-01T00:00:00.000Z\nledger, journal and engines agree\n',
    })
    report = { ...REPORT, unchecked: [{ accountId: 'zoe', reason: 'no statement within 30000 ms' }] }
    const blind = await runOn(node, ['settlements', 'reconcile', '--last'])
    expect(node.requests.at(-1)?.method).toBe('GET')
    expect(blind.code).toBe(1)
    expect(blind.out).toContain('zoe: could not be checked: no statement within 30000 ms\n')
    const difference = { engine: 'evm', assetCode: 'USD', assetScale: 6, differences: ['orders: 5 or 6'] }
    report = { ...REPORT, discrepancies: [{ ...difference, accountId: 'bob', amount: '1500000' }] }
    const bad = await runOn(node, ['settlements', 'reconcile'])
    expect(bad.code).toBe(1)
    expect(bad.out).toContain('bob (evm): off by 1.500000 USD\n  orders: 5 or 6\n')
    expect(bad.out).toContain('DO NOT AGREE')
    const json = await runOn(node, ['settlements', 'reconcile', '--json'])
    expect({ code: json.code, report: JSON.parse(json.out) }).toEqual({ code: 1, report })
  })

  it('that nobody is known to have paid are listed and attributed', async () => {
    const node = await stubNode({
      'GET /settlements/suspense': () => ok([STRAY]),
      'POST /settlements/evm%3A1%3A0xab%3A3/attribute': () =>
        ok({ ...STRAY, accountId: 'bob', amount: '0', assetScale: 6, state: 'booked' }),
    })
    expect((await runOn(node, ['settlements', 'suspense'])).out).toBe(
      'TIME                                        AMOUNT  SENDER     REASON          ENGINE  ID\n' +
        '1970-01-01T00:00:00.000Z  0.000000000000000005 USD  0xe?[2Jve  unknown sender  evm     evm:1:0xab:3\n',
    )
    const { out } = await runOn(node, ['settlements', 'attribute', STRAY.id, 'bob', '--engine', 'evm'])
    expect(out).toBe('bob was given 0.000000 USD\n')
    expect(node.requests.at(-1)?.body).toEqual({ accountId: 'bob', engine: 'evm' })
    expect(node.requests.at(-1)?.headers['idempotency-key']).toBeDefined()
  })

  it('are abandoned with an outcome and a reason only', async () => {
    const node = await stubNode({ 'POST /settlements/019a-1/abandon': () => ok(OUT) })
    const args = ['settlements', 'abandon', '019a-1', '--outcome', 'not-paid']
    expect((await runOn(node, args)).code).toBe(2)
    expect((await runOn(node, [...args.slice(0, 3), '--reason', 'x'])).code).toBe(2)
    expect((await runOn(node, [...args.slice(0, 4), 'perhaps', '--reason', 'x'])).code).toBe(2)
    expect(node.requests).toEqual([])
    const { code, out } = await runOn(node, [...args, '--reason', 'not in its books'])
    expect({ code, out }).toMatchObject({ code: 0, out: expect.stringContaining('handed-over') })
    expect(node.requests[0]?.body).toEqual({
      outcome: 'not-paid',
      reason: 'not in its books',
      doubtful: false,
    })
    await runOn(node, [...args, '--reason', 'x', '--doubtful'])
    expect(node.requests[1]?.body).toMatchObject({ doubtful: true })
  })

  it('go by engines, which are listed with what is the matter', async () => {
    const evm = {
      name: 'evm',
      type: 'evm',
      running: true,
      sinceMs: 0,
      trouble: 'nonce 3 was used by 0x\u001B[2Jab',
      accounts: 2,
      open: 1,
      openSinceMs: 1_000,
      suspended: 0,
      channels: 4,
    }
    const none = { accounts: 0, open: 0, suspended: 0, channels: 0 }
    const remote = { name: 'remote', type: 'rfc38', running: false, sinceMs: 0, lastError: 'away', ...none }
    const spare = { name: 'spare', type: 'evm', running: true, sinceMs: 0, ...none }
    const node = await stubNode({ 'GET /settlements/engines': () => ok([evm, remote, spare]) })
    expect((await runOn(node, ['settlements', 'engines'])).out).toBe(
      'ENGINE  TYPE   STATUS        SINCE                     ACCOUNTS  OPEN  OLDEST                    SUSPENSE  CHANNELS\n' +
        'evm     evm    in trouble    1970-01-01T00:00:00.000Z         2     1  1970-01-01T00:00:01.000Z         0         4\n' +
        'remote  rfc38  does not run  1970-01-01T00:00:00.000Z         0     0                                   0         0\n' +
        'spare   evm    runs          1970-01-01T00:00:00.000Z         0     0                                   0         0\n' +
        '\nevm: nonce 3 was used by 0x?[2Jab\nremote: away\n',
    )
    expect(JSON.parse((await runOn(node, ['settlements', 'engines', '--json'])).out)).toHaveLength(3)
    const empty = await stubNode({ 'GET /settlements/engines': () => ok([]) })
    expect((await runOn(empty, ['settlements', 'engines'])).out).toBe('no settlement engine is configured\n')
  })

  it('go on by an engine that was resumed, once', async () => {
    const engine = { name: 'evm', type: 'evm', running: true, sinceMs: 0 }
    const counts = { accounts: 1, open: 1, suspended: 0, channels: 1 }
    let calls = 0
    const node = await stubNode({
      'POST /settlements/engines/evm/resume': () => (++calls < 2 ? hangUp : ok({ ...engine, ...counts })),
      'POST /settlements/engines/spare/resume': () => refused(409, 'CONFLICT', 'the engine is not halted'),
    })
    const { code, out } = await runOn(node, ['settlements', 'resume-engine', 'evm'])
    expect({ code, out }).toEqual({
      code: 0,
      out: expect.stringMatching(/^resumed evm\nENGINE .+\nevm +evm +runs/),
    })
    const keys = node.requests.map(({ headers }) => headers['idempotency-key'])
    expect([keys.length, new Set(keys).size]).toEqual([2, 1])
    expect(await runOn(node, ['settlements', 'resume-engine', 'spare'])).toMatchObject({
      code: 5,
      err: expect.stringContaining('the engine is not halted'),
    })
    expect((await runOn(node, ['settlements', 'resume-engine'])).code).toBe(2)
  })

  it('tell why they are refused', async () => {
    const node = await stubNode({
      'GET /settlements/accounts/bob': () => refused(404, 'RESOURCE_NOT_FOUND', 'bob does not settle'),
      'POST /settlements/reconcile': () =>
        refused(501, 'NOT_SUPPORTED', 'no settlement engine is configured'),
    })
    expect(await runOn(node, ['settlements', 'now', 'bob'])).toMatchObject({
      code: 5,
      err: 'causeway: the node refused: bob does not settle (RESOURCE_NOT_FOUND)\n',
    })
    expect(await runOn(node, ['settlements', 'reconcile', '--json'])).toMatchObject({
      code: 5,
      err: expect.stringContaining('no settlement engine is configured'),
    })
  })
})

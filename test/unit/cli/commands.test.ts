import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { temporaryDirectory } from '../config/config-helpers.ts'
import { hangUp, ok, refused, run, runOn, stubNode } from './cli-helpers.ts'

const PEER = {
  id: 'shop',
  relation: 'child',
  source: 'admin',
  assetCode: 'USD',
  assetScale: 2,
  plugin: 'btp',
  ilpAddress: 'test.me.shop',
  link: { connected: true, remote: '10.0.0.1:5', changedAtMs: 1_780_000_000_000 },
  balance: '-12345',
  reserved: '0',
  creditLimit: '50000',
  packetsInFlight: 3,
  settings: { id: 'shop', link: { plugin: 'btp', tokenSha256: 'abc' } },
}

const NODE = {
  nodeId: 'me',
  version: '0.1.0',
  ilpAddress: 'test.me',
  startedAtMs: Date.UTC(2026, 4, 31, 21, 59),
  state: 'running',
  ledger: { backend: 'sqlite', mode: 'exclusive', relay: 'after-commit', available: true, latencyMs: 2 },
  listening: ['btp+ws://127.0.0.1:7768'],
  packetsInFlight: 0,
}

describe('status', () => {
  it('shows the node, its health and its peers', async () => {
    const node = await stubNode({
      'GET /node': () => ok(NODE),
      'GET /peers': () => ok([PEER, { ...PEER, id: 'b', link: { connected: false } }]),
      'GET /health': () => ({ body: { status: 'degraded' } }),
    })
    const { code, out, err } = await runOn(node, ['status'])
    expect({ code, err }).toEqual({ code: 0, err: '' })
    expect(out).toBe(
      [
        'node:       me (Causeway 0.1.0)',
        'state:      running for 2 h 1 min',
        'address:    test.me',
        'ledger:     sqlite, exclusive, available, 2.0 ms',
        'peers:      1 of 2 connected',
        'in flight:  0 packets',
        'listens on: btp+ws://127.0.0.1:7768',
        `admin:      ${node.url}`,
        'health:     degraded',
        '',
      ].join('\n'),
    )
    expect(node.requests[0]?.headers.authorization).toBe('Bearer token-of-the-test')
    const json = await runOn(node, ['status', '--json'])
    expect(JSON.parse(json.out)).toMatchObject({
      health: 'degraded',
      node: NODE,
      peers: { connected: 1, total: 2 },
    })
  })

  it('has colours on a terminal, not elsewhere, and not with NO_COLOR', async () => {
    const node = await stubNode({
      'GET /node': () => ok(NODE),
      'GET /peers': () => ok([]),
      'GET /health': () => ({ body: { status: 'healthy' } }),
    })
    expect((await runOn(node, ['status'], { isTty: true })).out).toContain('\u001B[32mhealthy\u001B[0m')
    expect((await runOn(node, ['status'], { isTty: true, env: { NO_COLOR: '1' } })).out).not.toContain(
      '\u001B',
    )
    expect((await runOn(node, ['status'])).out).not.toContain('\u001B')
    expect((await runOn(node, ['status', '--json'], { isTty: true })).out).not.toContain('\u001B')
  })
})

describe('peers', () => {
  it('are listed as an aligned table', async () => {
    const node = await stubNode({ 'GET /peers': () => ok([PEER, { ...PEER, id: 'b', balance: '7' }]) })
    const { out } = await runOn(node, ['peers', 'list'])
    expect(out).toBe(
      'ID    RELATION  LINK  PLUGIN      BALANCE  CREDIT  IN FLIGHT  ADDRESS\n' +
        'shop  child     up    btp     -123.45 USD  500.00          3  test.me.shop\n' +
        'b     child     up    btp        0.07 USD  500.00          3  test.me.shop\n',
    )
    expect((await runOn(node, ['peers'])).out).toBe(out)
  })

  it('are read page by page when there are many', async () => {
    const all = Array.from({ length: 12_000 }, (_, index) => ({ ...PEER, id: `p${index}` }))
    const node = await stubNode({
      'GET /peers': ({ path }) => {
        const query = new URL(path, 'http://x').searchParams
        const offset = Number(query.get('offset'))
        const data = all.slice(offset, offset + Number(query.get('limit')))
        return { body: { success: true, data, pagination: { total: all.length } } }
      },
    })
    const { out } = await runOn(node, ['peers', 'list', '--json'])
    expect(JSON.parse(out)).toHaveLength(12_000)
    expect(node.requests).toHaveLength(2)
  })

  it('are added from flags, in the shape of the configuration', async () => {
    const node = await stubNode({ 'POST /peers': () => ok(PEER) })
    const args =
      'peers add shop --relation child --asset USD --scale 2 --plugin btp --credit-limit 50000'.split(' ')
    const more =
      '--link mode=server --link token=secret:shop --route g.shop --field limits.packetsPerSecond=500 --field allowReflection=true'
    const { code, out } = await runOn(node, [...args, ...more.split(' ')])
    expect(code).toBe(0)
    expect(out).toMatch(/^added shop\n/)
    expect(node.requests[0]?.body).toEqual({
      id: 'shop',
      relation: 'child',
      asset: { code: 'USD', scale: 2 },
      creditLimit: '50000',
      link: { plugin: 'btp', mode: 'server', token: 'secret:shop' },
      routes: ['g.shop'],
      limits: { packetsPerSecond: 500 },
      allowReflection: true,
    })
  })

  it('are not added with a secret on the command line, nor is it repeated', async () => {
    const node = await stubNode({})
    const args =
      'peers add shop --relation child --asset USD --scale 2 --plugin btp --link token=canary-5d5d'.split(' ')
    const { code, err } = await runOn(node, args)
    expect(code).toBe(2)
    expect(err).toContain(
      'link.token: a secret is written in the clear, and others can see a command line. Give it with --file',
    )
    expect(err).not.toContain('canary')
    expect(node.requests).toHaveLength(0)
  })

  it('are added from a file, with flags over it', async () => {
    const node = await stubNode({ 'POST /peers': () => ok(PEER) })
    const workingDirectory = temporaryDirectory()
    const text =
      'relation: child\nasset: { code: USD, scale: 2 }\ncreditLimit: "1"\nlink: { plugin: btp, token: from-the-file }\n'
    writeFileSync(join(workingDirectory, 'shop.yaml'), text)
    const args = [
      'peers',
      'add',
      'shop',
      '--file',
      'shop.yaml',
      '--credit-limit',
      '2',
      '--link',
      'mode=server',
    ]
    expect((await runOn(node, args, { workingDirectory })).code).toBe(0)
    expect(node.requests[0]?.body).toEqual({
      id: 'shop',
      relation: 'child',
      asset: { code: 'USD', scale: 2 },
      creditLimit: '2',
      link: { plugin: 'btp', token: 'from-the-file', mode: 'server' },
    })
    writeFileSync(join(workingDirectory, 'shop.yaml'), 'a: 1\na: canary-3\n')
    const bad = await runOn(node, args, { workingDirectory })
    expect({ code: bad.code, err: bad.err }).toEqual({
      code: 2,
      err: 'causeway: shop.yaml, line 2: the same key stands here twice; keep one\n',
    })
  })

  it('need what a peer cannot do without', async () => {
    const { code, err } = await runOn(await stubNode({}), ['peers', 'add', 'shop', '--asset', 'USD'])
    expect(code).toBe(2)
    expect(err).toBe(
      'causeway: a new peer needs relation, link: give --relation, --asset, --scale and --plugin, or --file\n',
    )
  })

  it('are changed, shown and removed', async () => {
    const node = await stubNode({
      'PATCH /peers/shop': () => ok(PEER),
      'GET /peers/shop': () => ok(PEER),
      'DELETE /peers/shop': () => ok({ removed: 'shop' }),
    })
    expect((await runOn(node, ['peers', 'change', 'shop', '--credit-limit', '9'])).code).toBe(0)
    expect(node.requests[0]?.body).toEqual({ creditLimit: '9' })
    expect((await runOn(node, ['peers', 'show', 'shop'])).out).toContain('balance:           -123.45 USD\n')
    expect((await runOn(node, ['peers', 'remove', 'shop'])).out).toBe(
      'removed shop; its balance stays in the ledger\n',
    )
    expect((await runOn(node, ['peers', 'change', 'shop'])).code).toBe(2)
  })

  it('may call themselves what they like without reaching the terminal', async () => {
    const hostile = { ...PEER, link: { connected: false, lastError: 'a\u001B[2Jb\nc' } }
    const node = await stubNode({ 'GET /peers/shop': () => ok(hostile) })
    expect((await runOn(node, ['peers', 'show', 'shop'], { isTty: true })).out).toContain(
      'last error:        a?[2Jb?c\n',
    )
  })
})

describe('routes', () => {
  it('are listed, added, removed and resolved', async () => {
    const route = { prefix: '', peerId: 'up', source: 'default' }
    const node = await stubNode({
      'GET /routes': () => ok([route, { prefix: 'g.a', peerId: 'a', source: 'admin' }]),
      'PUT /routes': () => ok(route),
      'DELETE /routes': () => ok({ removed: 'g.a' }),
      'GET /routes/resolve': () => ok(route),
    })
    expect((await runOn(node, ['routes'])).out).toBe(
      'PREFIX     PEER  SOURCE\n(default)  up    default\ng.a        a     admin\n',
    )
    await runOn(node, ['routes', 'add', 'g.a', 'a'])
    expect(node.requests.at(-1)).toMatchObject({ method: 'PUT', body: { prefix: 'g.a', peerId: 'a' } })
    await runOn(node, ['routes', 'remove', 'g.a'])
    expect(node.requests.at(-1)?.path).toBe('/routes?prefix=g.a')
    expect((await runOn(node, ['routes', 'resolve', 'g.x.y'])).out).toBe(
      'g.x.y goes to up, by (default) (default)\n',
    )
  })
})

describe('balances', () => {
  const account = {
    id: 'shop',
    kind: 'clearing',
    assetCode: 'XRP',
    assetScale: 6,
    debitsPosted: '5',
    creditsPosted: '18446744073709551615',
    balance: '18446744073709551610',
  }
  const books = (balanced: boolean) =>
    stubNode({
      'GET /accounts': () => ok([account]),
      'GET /ledger/self-check': () => ok({ balanced, assets: [] }),
    })

  it('are exact beyond 2^53, and say that the books add up', async () => {
    const { code, out } = await runOn(await books(true), ['balances'])
    expect(code).toBe(0)
    expect(out).toContain('18446744073709.551610 XRP')
    expect(out).toContain('debits equal credits in every asset')
    const json = await runOn(await books(true), ['balances', '--json'])
    expect(JSON.parse(json.out).accounts[0].balance).toBe('18446744073709551610')
  })

  it('fail when the books do not add up', async () => {
    const { code, out } = await runOn(await books(false), ['balances'])
    expect(code).toBe(1)
    expect(out).toContain('DEBITS DO NOT EQUAL CREDITS')
  })

  it('asks for every account only when told to', async () => {
    const node = await books(true)
    await runOn(node, ['balances'])
    expect(node.requests[0]?.path).toContain('kind=clearing')
    await runOn(node, ['balances', '--all'])
    expect(node.requests[2]?.path).not.toContain('kind')
  })
})

describe('history', () => {
  it('is paged by cursor', async () => {
    const entry = {
      cursor: 'c2',
      id: 't1',
      kind: 'packets',
      debitAccount: 'a',
      creditAccount: 'b',
      amount: '5',
      packetCount: 2,
      state: 'posted',
      timestampMs: 0,
    }
    const node = await stubNode({ 'GET /accounts/shop/history': () => ok([entry]) })
    const { out } = await runOn(node, ['history', 'shop', '--limit', '1', '--before', 'c3'])
    expect(node.requests[0]?.path).toBe('/accounts/shop/history?limit=1&before=c3')
    expect(out).toContain('1970-01-01T00:00:00.000Z  packets  a      b            5        2  posted  t1')
    expect(out).toContain('older ones: --before c2')
    expect((await runOn(node, ['history', 'shop', '--limit', '1001'])).code).toBe(2)
  })
})

describe('rates, log level, reload and metrics', () => {
  it('are shown and changed', async () => {
    const node = await stubNode({
      'GET /rates': () =>
        ok({ source: 'http', prices: { XRP: '0.5' }, baseAsset: 'USD', stale: true, lastError: 'timeout' }),
      'GET /rates/quote': () => ok({ from: 'USD', to: 'XRP', rate: '2' }),
      'GET /log-level': () => ok({ level: 'info' }),
      'PUT /log-level': ({ body }) => ok(body),
      'POST /config/reload': () => ok({ applied: ['logging.level'], needsRestart: ['admin.port'] }),
    })
    expect((await runOn(node, ['rates'])).out).toContain('stale:      YES')
    expect((await runOn(node, ['rates', 'USD', 'XRP'])).out).toBe('1 USD buys 2 XRP, before spread\n')
    expect((await runOn(node, ['rates', 'USD'])).code).toBe(2)
    expect((await runOn(node, ['log-level'])).out).toBe('info\n')
    expect((await runOn(node, ['log-level', 'debug'])).out).toBe('debug\n')
    expect((await runOn(node, ['log-level', 'loud'])).code).toBe(2)
    expect((await runOn(node, ['reload'])).out).toBe('applied: logging.level\nneeds a restart: admin.port\n')
  })

  it('lists metrics by name, type and meaning', async () => {
    const text =
      '# HELP b_total Second.\n# TYPE b_total counter\nb_total 1\n# HELP a First.\n# TYPE a gauge\na{x="y"} 2\n'
    const node = await stubNode({ 'GET /metrics': () => ({ body: text }) })
    expect((await runOn(node, ['metrics', '--list'])).out).toBe(
      'NAME     TYPE     MEANING\na        gauge    First.\nb_total  counter  Second.\n',
    )
    expect((await runOn(node, ['metrics'])).out).toBe(text)
    expect(JSON.parse((await runOn(node, ['metrics', '--json'])).out)).toHaveLength(2)
  })
})

describe('ping', () => {
  it('tells how long the way is', async () => {
    const node = await stubNode({ 'POST /ping': () => ok({ reached: true, roundTripMs: 12.34 }) })
    const { code, out } = await runOn(node, ['ping', 'g.x', '--wait', '3'])
    expect({ code, out }).toEqual({ code: 0, out: 'reached g.x in 12.3 ms\n' })
    expect(node.requests[0]?.body).toEqual({ address: 'g.x', timeoutMs: 3000 })
  })

  it('tells who refused and why, with an exit code of its own', async () => {
    const node = await stubNode({
      'POST /ping': () =>
        ok({ reached: false, roundTripMs: 5, code: 'F02', triggeredBy: 'g.hub', message: 'no route' }),
    })
    const { code, out } = await runOn(node, ['ping', 'g.x'])
    expect({ code, out }).toEqual({
      code: 6,
      out: 'g.x was not reached: F02 by g.hub after 5.0 ms: no route\n',
    })
    const many = await runOn(node, ['ping', 'g.x', '--count', '3', '--json'])
    expect(JSON.parse(many.out)).toMatchObject({ sent: 3, reached: 0 })
  })
})

describe('a node that cannot do what is asked', () => {
  it('is not there: exit code 4, and the way to start it', async () => {
    const node = await stubNode({})
    const closed = node.url.replace(/\d+$/, '1')
    const { code, err } = await runOn({ url: closed }, ['status'])
    expect(code).toBe(4)
    expect(err).toBe(
      `causeway: no node answers at ${closed}: the connection was refused. Start it with "causeway start", or name another with --url\n`,
    )
  })

  it('refuses: exit code 5, with its reason and the fields', async () => {
    const details = [{ field: 'creditLimit', message: 'too large' }]
    const node = await stubNode({
      'PATCH /peers/x': () => refused(400, 'VALIDATION_ERROR', 'not valid', details),
    })
    const { code, err } = await runOn(node, ['peers', 'change', 'x', '--credit-limit', '1'])
    expect(code).toBe(5)
    expect(err).toBe('causeway: the node refused: not valid (VALIDATION_ERROR)\n  creditLimit: too large\n')
  })

  it('does not know the token: exit code 5, and where to look', async () => {
    const node = await stubNode({ 'GET /log-level': () => refused(401, 'AUTHENTICATION_FAILED', 'no') })
    const { code, err } = await runOn(node, ['log-level'])
    expect(code).toBe(5)
    expect(err).toContain('check --config, --url and CAUSEWAY_TOKEN')
  })

  it('fails itself: exit code 1', async () => {
    const node = await stubNode({ 'GET /log-level': () => refused(500, 'INTERNAL_SERVER_ERROR', 'oh') })
    expect((await runOn(node, ['log-level'])).code).toBe(1)
  })

  it('is something else: exit code 4', async () => {
    const node = await stubNode({ 'GET /log-level': () => ({ body: '<html>' }) })
    const { code, err } = await runOn(node, ['log-level'])
    expect(code).toBe(4)
    expect(err).toContain('is not the admin API of a node (HTTP 200)')
  })

  it('breaks off during a change: exit code 7, since it may have happened', async () => {
    const node = await stubNode({ 'PUT /log-level': () => hangUp, 'GET /log-level': () => hangUp })
    expect((await runOn(node, ['log-level', 'debug'])).code).toBe(7)
    expect(node.requests).toHaveLength(1)
    expect((await runOn(node, ['log-level'])).code).toBe(4)
  })

  it('is reported as JSON on standard error with --json, and nothing on standard output', async () => {
    const { code, out, err } = await runOn({ url: 'http://127.0.0.1:1' }, ['status', '--json'])
    expect({ code, out }).toEqual({ code: 4, out: '' })
    expect(JSON.parse(err)).toMatchObject({ error: { code: 'unreachable', exitCode: 4 } })
  })
})

describe('the command line', () => {
  it.each([
    [['nonsense']],
    [['peers', 'nonsense']],
    [['status', '--nonsense']],
    [['history']],
    [[]],
    [['ping', 'g.x', '--count', 'many']],
  ])('that is wrong ends with exit code 2: %o', async (args) => {
    expect((await run(args)).code).toBe(2)
  })

  it('explains itself with exit code 0', async () => {
    for (const args of [['--help'], ['help', 'pay'], ['peers', 'add', '--help'], ['--version']]) {
      const { code, out } = await run(args)
      expect({ args, code }).toEqual({ args, code: 0 })
      expect(out).not.toBe('')
    }
  })

  it('suggests what was meant', async () => {
    expect((await run(['statsu'])).err).toContain('Did you mean status?')
  })

  it('warns that a token in it can be seen', async () => {
    const node = await stubNode({ 'GET /log-level': () => ok({ level: 'info' }) })
    const { err } = await run(['log-level', '--url', node.url, '--token', 'canary-22'], {})
    expect(err).toBe(
      'warning: --token can be seen by other users of this machine; set CAUSEWAY_TOKEN instead\n',
    )
    expect(node.requests[0]?.headers.authorization).toBe('Bearer canary-22')
  })

  it('warns before a token goes over the network unencrypted', async () => {
    const env = { CAUSEWAY_URL: 'http://192.0.2.1:1', CAUSEWAY_TOKEN: 't' }
    const { code, err } = await run(['log-level', '--timeout', '1'], { env })
    expect(code).toBe(4)
    expect(err).toContain('warning: the token goes to 192.0.2.1 unencrypted')
  })

  it('refuses URLs that are none or hold credentials', async () => {
    const env = { CAUSEWAY_TOKEN: 't' }
    expect((await run(['status', '--url', 'nonsense'], { env })).code).toBe(2)
    const { code, err } = await run(['status', '--url', 'http://u:canary-8@127.0.0.1:1'], { env })
    expect(code).toBe(2)
    expect(err).not.toContain('canary')
  })

  it('asks for a configuration when there is nothing to go by', async () => {
    const { code, err } = await run(['status'])
    expect(code).toBe(3)
    expect(err).toContain(
      'Write one with "causeway init", try a development node with "causeway start --dev"',
    )
    const withUrl = await run(['status', '--url', 'http://127.0.0.1:1'])
    expect(withUrl.code).toBe(3)
    expect(withUrl.err).toContain('set CAUSEWAY_TOKEN')
  })
})

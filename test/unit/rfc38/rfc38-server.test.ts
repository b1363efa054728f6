import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { PeerMessageError } from '../../../src/settlement/engine.ts'
import { waitFor } from '../../support/wait-for.ts'
import { ConnectorDouble, post } from './support/connector-double.ts'
import { CUT } from './support/http-double.ts'
import { ServerBench } from './support/server-bench.ts'

describe('an engine of ours served over RFC 38', () => {
  let directory: string
  let connector: ConnectorDouble
  let bench: ServerBench

  beforeEach(async () => {
    directory = mkdtempSync(join(tmpdir(), 'causeway-rfc38-'))
    connector = new ConnectorDouble(9)
    await connector.start()
    bench = new ServerBench(directory, connector.url)
    await bench.server.start()
    await call('POST', '/accounts', { id: 'alice' })
  })
  afterEach(async () => {
    await bench.server.stop()
    await connector.stop()
    rmSync(directory, { recursive: true, force: true })
  })

  async function call(method: string, path: string, body?: unknown, headers: Record<string, string> = {}) {
    const response = await fetch(`${bench.server.url()}${path}`, {
      method,
      headers: { 'content-type': 'application/json', ...headers },
      ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    })
    return {
      status: response.status,
      type: response.headers.get('content-type'),
      body: await response.text(),
    }
  }

  const settle = (key: string, amount: bigint, scale = 6, account = 'alice') =>
    post(bench.server.url()!, { account, key, amount, scale }, false)

  it('opens, closes and opens accounts', async () => {
    expect(await call('POST', '/accounts', { id: 'bob' })).toMatchObject({
      status: 201,
      body: '{"id":"bob"}',
    })
    expect(await call('POST', '/accounts', { id: 'bob' })).toMatchObject({ status: 201 })
    expect(bench.engine.accounts.get('bob')).toMatchObject({ assetCode: 'USD', assetScale: 6 })
    expect(await call('DELETE', '/accounts/bob')).toMatchObject({ status: 204, body: '' })
    expect(await call('DELETE', '/accounts/bob')).toMatchObject({ status: 204 })
    expect(await call('DELETE', '/accounts/nobody')).toMatchObject({ status: 404 })
    expect(await settle('k', 1n, 6, 'bob')).toBe(404)
    expect(await call('POST', '/accounts', { id: 'bob' })).toMatchObject({ status: 201 })
    expect(await settle('k', 1n, 6, 'bob')).toBe(201)
  })

  it.each([
    [{}],
    [{ id: '' }],
    [{ id: 'a b' }],
    [{ id: 7 }],
    ['{'],
    [[]],
    [{ id: 'x'.repeat(129) }],
    [{ id: '.' }],
    [{ id: '..' }],
    ['null'],
  ])('opens no account for %j', async (body) => {
    expect(await call('POST', '/accounts', body)).toMatchObject({ status: 400 })
    expect([...bench.engine.accounts.keys()]).toEqual(['alice'])
  })

  it('says why an account cannot be served', async () => {
    const reply = await call('POST', '/accounts', { id: 'unfit' })
    expect(reply).toMatchObject({ status: 400, body: expect.stringContaining('token: is not a token') })
  })

  it('hands a settlement to the engine and answers with its quantity', async () => {
    const body = { amount: '1500', scale: 6 }
    const reply = await call('POST', '/accounts/alice/settlements', body, { 'idempotency-key': 'k-1' })
    expect(reply).toEqual({ status: 201, type: 'application/json', body: JSON.stringify(body) })
    await waitFor('the order', () => bench.engine.settled() === 1_500n)
  })

  it('settles once under a key, repeated, at the same time and after a restart', async () => {
    const statuses = await Promise.all(Array.from({ length: 20 }, () => settle('k-1', 1_500n)))
    expect(new Set(statuses)).toEqual(new Set([201]))
    await bench.restart()
    expect(await settle('k-1', 1_500n)).toBe(201)
    expect(await settle('k-1', 1_501n)).toBe(409)
    await call('POST', '/accounts', { id: 'bob' })
    expect(await settle('k-1', 1_500n, 6, 'bob')).toBe(409)
    await call('DELETE', '/accounts/alice')
    expect(await settle('k-1', 1_500n)).toBe(201)
    await waitFor('the order', () => bench.engine.settled() === 1_500n)
    expect(bench.book.orders.size).toBe(1)
  })

  it.each([
    ['no key', undefined, { amount: '1', scale: 6 }, 400],
    ['an empty key', '', { amount: '1', scale: 6 }, 400],
    ['a key of two', 'a, b', { amount: '1', scale: 6 }, 400],
    ['a key too long', 'k'.repeat(256), { amount: '1', scale: 6 }, 400],
    ['no JSON', 'k', '{', 400],
    ['no object', 'k', '[]', 400],
    ['a number as amount', 'k', { amount: 1, scale: 6 }, 400],
    ['a negative amount', 'k', { amount: '-1', scale: 6 }, 400],
    ['an exponent', 'k', { amount: '1e3', scale: 6 }, 400],
    ['a fraction', 'k', { amount: '1.5', scale: 6 }, 400],
    ['an empty amount', 'k', { amount: '', scale: 6 }, 400],
    ['a hexadecimal amount', 'k', { amount: '0x10', scale: 6 }, 400],
    ['too many digits', 'k', { amount: '9'.repeat(79), scale: 6 }, 400],
    ['more than any token has', 'k', { amount: String(2n ** 128n), scale: 6 }, 400],
    ['more than any token has, told coarsely', 'k', { amount: '9'.repeat(78), scale: 0 }, 400],
    ['no scale', 'k', { amount: '1' }, 400],
    ['a scale of text', 'k', { amount: '1', scale: '6' }, 400],
    ['a scale of 256', 'k', { amount: '1', scale: 256 }, 400],
    ['a negative scale', 'k', { amount: '1', scale: -1 }, 400],
    ['half a scale', 'k', { amount: '1', scale: 1.5 }, 400],
    ['a long body', 'k', `{"amount":"1","scale":6,"pad":"${'x'.repeat(1_024)}"}`, 413],
  ])('refuses %s and moves nothing', async (_, key, body, status) => {
    const headers: Record<string, string> = key === undefined ? {} : { 'idempotency-key': key }
    expect(await call('POST', '/accounts/alice/settlements', body, headers)).toMatchObject({ status })
    expect(await settle('after', 2n)).toBe(201)
    await waitFor('the next order', () => bench.engine.settled() === 2n)
    expect(bench.book.orders.size).toBe(1)
  })

  it('refuses what is not of RFC 38', async () => {
    expect(await call('GET', '/accounts/alice/settlements')).toMatchObject({ status: 405 })
    expect(await call('POST', '/accounts/alice/other', {})).toMatchObject({ status: 404 })
    expect(await call('POST', '/', {})).toMatchObject({ status: 404 })
    expect(await call('POST', '/accounts/a%20b/settlements', {})).toMatchObject({ status: 400 })
    expect(await call('POST', '/accounts/%ff/settlements', {})).toMatchObject({ status: 400 })
    const text = { 'content-type': 'text/plain' }
    expect(await call('POST', '/accounts/alice/settlements', '{}', text)).toMatchObject({ status: 415 })
    const binary = { 'content-type': 'application/octet-stream' }
    const long = await call('POST', '/accounts/alice/messages', 'x'.repeat(65_537), binary)
    expect(long).toMatchObject({ status: 413 })
  })

  it('keeps what is too fine for the network until it adds up', async () => {
    expect(await settle('k-1', 1_700n, 9)).toBe(201)
    expect(await settle('k-2', 200n, 9)).toBe(201)
    await waitFor('the whole part', () => bench.engine.settled() === 1n)
    await bench.restart()
    expect(await settle('k-3', 100n, 9)).toBe(201)
    await waitFor('what has added up', () => bench.engine.settled() === 2n)
    expect(bench.journal.pending('alice').amount).toBe(0n)
  })

  it('keeps the amount of a refused order and settles it later', async () => {
    let left = 3
    bench.refuses = () => left-- > 0
    expect(await settle('k-1', 10n)).toBe(201)
    expect(await settle('k-2', 5n)).toBe(201)
    await waitFor('both amounts', () => bench.engine.settled() === 15n)
    expect(bench.book.refused.size).toBe(3)
  })

  it('settles in parts what is more than the engine can pay at once, and does not hold up what comes after', async () => {
    const most = 70n
    bench.refuses = ({ quantity }) => quantity.amount > most
    expect(await settle('k-1', 1_000_000n, 9)).toBe(201)
    expect(await settle('k-2', 5_999n, 9)).toBe(201)
    await waitFor('a refusal', () => bench.book.refused.size > 0)
    await bench.restart()
    await waitFor('all of it', () => bench.engine.settled() === 1_005n)
    const paid = [...bench.book.orders.values()].filter(({ id }) => !bench.book.refused.has(id))
    for (const { quantity } of paid) expect(quantity.amount).toBeLessThanOrEqual(most)
    expect(bench.journal.pending('alice')).toEqual({ amount: 999n, scale: 9 })
    expect(await settle('k-3', 1n, 9)).toBe(201)
    await waitFor('what has added up', () => bench.engine.settled() === 1_006n)
  })

  it('hands an order to the engine again until it is taken', async () => {
    let calls = 0
    bench.before = () => {
      if (++calls < 3) throw new Error('the engine is away')
    }
    bench.after = () => {
      throw new Error('the answer was lost')
    }
    expect(await settle('k-1', 10n)).toBe(201)
    await waitFor('the order', () => bench.engine.settled() === 10n)
    await bench.restart()
    expect(await settle('k-2', 1n)).toBe(201)
    await waitFor('the next order', () => bench.engine.settled() === 11n)
    expect(bench.book.orders.size).toBe(2)
  })

  it('carries messages both ways', async () => {
    const binary = { 'content-type': 'application/octet-stream' }
    const send = (body: string, id = 'alice') => call('POST', `/accounts/${id}/messages`, body, binary)
    expect(await send('hi')).toEqual({ status: 201, type: 'application/octet-stream', body: 'engine:hi' })
    expect(await send('bad')).toMatchObject({ status: 400, body: 'bad-message: does not parse\n' })
    expect(await send('later')).toMatchObject({ status: 503 })
    expect(await send('hi', 'nobody')).toMatchObject({ status: 404 })
    const answer = await bench.connector.send('alice', Buffer.from('out'))
    expect(answer.toString()).toBe('re:out')
    connector.before = () => ({ status: 400 })
    const refused = bench.connector.send('alice', Buffer.from('out'))
    await expect(refused).rejects.toMatchObject({ name: 'PeerMessageError', refusal: 'http-400' })
    connector.before = () => ({ status: 400, body: Buffer.from('unknown-peer: say hello first') })
    await expect(bench.connector.send('alice', Buffer.from('out'))).rejects.toMatchObject({
      refusal: 'unknown-peer',
    })
    connector.before = () => CUT
    const lost = bench.connector.send('alice', Buffer.from('out'))
    await expect(lost).rejects.toThrow(PeerMessageError)
    await expect(lost).rejects.toMatchObject({ refusal: undefined })
  })

  const credit = (id: string, amount: bigint, scale: number, accountId: string | undefined = 'alice') =>
    bench.connector.credit({
      id,
      accountId,
      assetCode: 'USD',
      quantity: { amount, scale },
      sender: '0xpayer',
    })

  it('tells a credit under one key until the connector acknowledges it', async () => {
    let heard = 0
    connector.before = () => {
      heard++
      if (heard === 1) return CUT
      if (heard === 2) return { status: 404 }
      if (heard === 3) return { status: 200, body: '<html>' }
      return undefined
    }
    await credit('chain:1:0xabc:0', 77n, 6)
    await credit('chain:1:0xabc:0', 77n, 6)
    await waitFor('the credit', () => connector.credits.size === 1)
    await bench.restart()
    await credit('chain:1:0xabc:0', 77n, 6)
    await expect(credit('chain:1:0xabc:0', 78n, 6)).rejects.toThrow(/other fields/)
    expect(connector.total()).toBe(77_000n)
    expect([...connector.credits.keys()][0]).toMatch(/^[0-9a-f]{32}$/)
  })

  it('carries over what the connector did not credit', async () => {
    await bench.server.stop()
    await connector.stop()
    connector = new ConnectorDouble(2)
    await connector.start()
    bench = new ServerBench(directory, connector.url)
    await bench.server.start()
    for (const [index, amount] of [19n, 15n, 9n].entries()) {
      await credit(`chain:${index}`, amount, 3)
      await waitFor('the credit', () => connector.credits.size === index + 1)
      await waitFor('its answer', () => bench.journal.creditDeliveries.due(Date.now(), 1_000, 1).length === 0)
    }
    // 19 gives 1 and carries 9; 15 + 9 gives 2 and carries 4; 9 + 4 gives 1 and carries 3.
    expect([...connector.credits.values()].map(({ credited }) => credited)).toEqual([1n, 2n, 1n])
    expect(bench.journal.carried('alice')).toEqual({ amount: 3n, scale: 3 })
    expect(connector.conflicts).toBe(0)
  })

  it('carries nothing over for a connector that tells no quantity', async () => {
    await bench.server.stop()
    connector.tellsCredited = false
    bench = new ServerBench(directory, connector.url)
    await bench.server.start()
    await credit('chain:1', 19n, 12)
    await waitFor('the credit', () => connector.credits.size === 1)
    expect(bench.journal.carried('alice').amount).toBe(0n)
  })

  it('keeps credits of unknown payers until an operator attributes them', async () => {
    const { connector: host } = bench
    await host.credit({
      id: 'chain:dust',
      accountId: undefined,
      assetCode: 'USD',
      quantity: { amount: 5n, scale: 6 },
      sender: '0xstranger',
    })
    await bench.restart()
    expect(bench.journal.suspended(10)).toEqual([
      { id: 'chain:dust', assetCode: 'USD', quantity: { amount: 5n, scale: 6 }, sender: '0xstranger' },
    ])
    expect(connector.credits.size).toBe(0)
    const give = (creditId: string, accountId: string) => () => bench.server.attribute(creditId, accountId)
    expect(give('chain:dust', 'nobody')).toThrow(/no account/)
    expect(give('chain:other', 'alice')).toThrow(/no credit/)
    bench.assetCode = 'EUR'
    expect(give('chain:dust', 'alice')).toThrow(/holds EUR, the credit is in USD/)
    bench.assetCode = 'USD'
    give('chain:dust', 'alice')()
    expect(give('chain:dust', 'alice')).toThrow(/no credit/)
    await waitFor('the credit', () => connector.total() === 5_000n)
  })

  it('serves with a token only those who have it', async () => {
    await bench.server.stop()
    bench = new ServerBench(directory, connector.url, 'a-token-of-the-connector')
    await bench.server.start()
    const withToken = (authorization?: string) =>
      call('POST', '/accounts', { id: 'bob' }, authorization === undefined ? {} : { authorization })
    expect(await withToken()).toMatchObject({ status: 401 })
    expect(await withToken('Bearer a-token-of-the-connectoR')).toMatchObject({ status: 401 })
    expect(await withToken('Bearer')).toMatchObject({ status: 401 })
    expect(await withToken('Basic a-token-of-the-connector')).toMatchObject({ status: 401 })
    expect(await withToken('Bearer a-token-of-the-connector')).toMatchObject({ status: 201 })
  })

  it('listens to strangers only with a token', () => {
    expect(() => new ServerBench(directory, connector.url, undefined, '0.0.0.0')).toThrow(/set a token/)
  })
})

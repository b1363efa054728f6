import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import {
  EngineConfigError,
  EngineUnavailableError,
  MessageRefusedError,
  OrderConflictError,
  type OrderVerdict,
  PeerMessageError,
  type SettlementOrder,
} from '../../../src/settlement/engine.ts'
import { EngineJournal } from '../../../src/settlement/rfc38/engine-journal.ts'
import { waitFor } from '../../support/wait-for.ts'
import { post } from './support/connector-double.ts'
import { EngineBench } from './support/engine-bench.ts'
import { EngineDouble } from './support/engine-double.ts'
import { CUT } from './support/http-double.ts'
import { account, order } from './support/orders.ts'

describe('a foreign engine behind RFC 38', () => {
  const foreign = new EngineDouble()
  let bench: EngineBench

  beforeEach(async () => {
    Object.assign(foreign, {
      conflicts: 0,
      before: () => undefined,
      after: (_: unknown, reply: unknown) => reply,
    })
    foreign.accounts.clear()
    foreign.settlements.clear()
    foreign.log.length = 0
    foreign.messages.length = 0
    await foreign.start()
    bench = new EngineBench({ url: foreign.url })
    await bench.engine.start()
    await bench.engine.openAccount(account('alice'))
  })
  afterEach(async () => {
    await bench.destroy()
    await foreign.stop()
  })

  const isSettled = (id: string) => () => bench.host.settledOrders.has(id)

  it('tells the engine of an account, again until it is heard', async () => {
    foreign.before = (request) => (request.body.includes('bob') && foreign.log.length < 5 ? CUT : undefined)
    await bench.engine.openAccount(account('bob'))
    await waitFor('both accounts', () => foreign.accounts.size === 2)
    expect(foreign.accounts).toEqual(new Set(['alice', 'bob']))
  })

  it('refuses accounts that cannot be served', async () => {
    const unsafe = bench.engine.openAccount(account('a b'))
    await expect(unsafe).rejects.toThrow(EngineConfigError)
    const options = bench.engine.openAccount(account('carol', { chain: 1 }))
    await expect(options).rejects.toMatchObject({ name: 'EngineConfigError', path: 'chain' })
  })

  it('tells that an order is carried out once the engine acknowledged it', async () => {
    const paid = order(1_234_567n)
    await bench.engine.settle(paid)
    await waitFor('the order to be settled', isSettled(paid.id))
    expect([...foreign.settlements.values()]).toMatchObject([
      { account: 'alice', amount: 1_234_567n, scale: 9 },
    ])
    expect(await bench.engine.statement('alice')).toMatchObject({
      settled: { amount: 1_234_567n, scale: 9 },
      open: { amount: 0n },
      differences: [],
    })
  })

  it('sends every retry under the same key, and settles once', async () => {
    let requests = 0
    foreign.before = (request) => {
      if (!request.path.endsWith('/settlements')) return undefined
      requests++
      if (requests === 1) return CUT
      if (requests === 2) return { status: 503 }
      if (requests === 3) return { status: 429, headers: { 'retry-after': '0' } }
      return undefined
    }
    foreign.after = (_, reply) => (requests === 4 ? CUT : reply)
    const paid = order(5n)
    await bench.engine.settle(paid)
    await waitFor('the order to be settled', isSettled(paid.id))
    const keys = new Set(
      foreign.log.filter((line) => line.includes('/settlements')).map((l) => l.split(' ')[2]),
    )
    expect(keys.size).toBe(1)
    expect(requests).toBeGreaterThanOrEqual(5)
    expect(foreign.total(9)).toBe(5n)
  })

  it('takes a repeated order once, also after a restart, and refuses another one under its id', async () => {
    const paid = order(7n)
    await Promise.all([bench.engine.settle(paid), bench.engine.settle(paid), bench.engine.settle(paid)])
    await waitFor('the order to be settled', isSettled(paid.id))
    await bench.restart()
    await bench.engine.settle(paid)
    const other = { ...paid, quantity: { amount: 8n, scale: 9 } }
    await expect(bench.engine.settle(other)).rejects.toThrow(OrderConflictError)
    await expect(bench.engine.settle({ ...paid, accountId: 'bob' })).rejects.toThrow(OrderConflictError)
    expect(foreign.total(9)).toBe(7n)
  })

  it.each([
    ['nothing', order(0n)],
    ['less than nothing', order(-1n)],
    ['more digits than can be written', order(10n ** 78n)],
    ['an id that cannot be one', order(1n, 'alice', 'a b')],
  ])('takes no order for %s', async (_, bad) => {
    await expect(bench.engine.settle(bad)).rejects.toThrow(RangeError)
    expect(foreign.log.filter((line) => line.includes('/settlements'))).toEqual([])
  })

  it('sets an account up again when the engine has forgotten it', async () => {
    await waitFor('the account', () => foreign.accounts.has('alice'))
    foreign.accounts.clear()
    const paid = order(9n)
    await bench.engine.settle(paid)
    await waitFor('the order to be settled', isSettled(paid.id))
    expect(foreign.total(9)).toBe(9n)
  })

  it.each([400, 401, 409, 413, 422, 500])(
    'neither settles nor refunds while the engine answers %d',
    async (status) => {
      let heard = 0
      foreign.before = (request) => {
        if (!request.path.endsWith('/settlements')) return undefined
        heard++
        return { status, body: 'no' }
      }
      const paid = order(3n)
      await bench.engine.settle(paid)
      await waitFor('several attempts', () => heard > 3)
      expect(bench.host.settledOrders.size + bench.host.refusedOrders.size).toBe(0)
      const { open, differences } = await bench.engine.statement('alice')
      expect(open).toEqual({ amount: 3n, scale: 9 })
      expect(differences.join()).toContain(`HTTP ${status}, no`)
      foreign.before = () => undefined
      await waitFor('the order to be settled', isSettled(paid.id))
    },
  )

  it('does not take the page of a wrong port for an acknowledgement', async () => {
    let heard = 0
    foreign.before = (request) => {
      if (!request.path.endsWith('/settlements') || heard++ > 2) return undefined
      return { status: 200, body: '<html>welcome</html>' }
    }
    const paid = order(3n)
    await bench.engine.settle(paid)
    await waitFor('the order to be settled', isSettled(paid.id))
    expect(heard).toBeGreaterThan(2)
    expect(foreign.total(9)).toBe(3n)
  })

  it('tells the node again until it has heard that an order is settled', async () => {
    let told = 0
    bench.host.before = () => {
      told++
      if (told < 3) throw new Error('the ledger is away')
    }
    const paid = order(2n)
    await bench.engine.settle(paid)
    await waitFor('the order to be settled', isSettled(paid.id))
    expect(foreign.log.filter((line) => line.includes('/settlements'))).toHaveLength(1)
  })

  const NOT_PAID = { outcome: 'not-paid', reason: 'not in its books', doubtful: false } as const

  /** Resolves once the verdict is taken; a request that is under way is waited for. */
  async function decide(decided: SettlementOrder, verdict: OrderVerdict): Promise<void> {
    await waitFor('the order to rest', async () => {
      try {
        await bench.engine.abandon(decided, verdict)
        return true
      } catch (error) {
        if ((error as Error).message.includes('being sent now')) return false
        throw error
      }
    })
  }

  const refuseSettlements = () => {
    foreign.before = (request) => (request.path.endsWith('/settlements') ? { status: 400 } : undefined)
  }
  const isRefused = async () =>
    (await bench.engine.statement('alice')).differences.join().includes('HTTP 400')

  it('lets an operator abandon an order that was clearly refused each time', async () => {
    refuseSettlements()
    const bad = order(3n)
    await bench.engine.settle(bad)
    await waitFor('a refusal', isRefused)
    await decide(bad, NOT_PAID)
    await waitFor('the node to know', () => bench.host.refusedOrders.get(bad.id) === 'not in its books')
    const again = bench.engine.abandon(bad, { ...NOT_PAID, doubtful: true })
    await expect(again).rejects.toThrow(/is (abandoned|refused)/)
  })

  it('lets nobody abandon by accident an order that the engine may have', async () => {
    foreign.after = (request, reply) => (request.path.endsWith('/settlements') ? CUT : reply)
    const lost = order(3n)
    await bench.engine.settle(lost)
    await waitFor('the order to be heard', () => foreign.settlements.size === 1)
    refuseSettlements()
    foreign.after = (_, reply) => reply
    await waitFor('a refusal', isRefused)
    await expect(decide(lost, NOT_PAID)).rejects.toThrow(/may have order/)
    foreign.before = () => undefined
    await waitFor('the order to be settled', isSettled(lost.id))
  })

  it.each([200, 202, 302, 408, 409])(
    'lets nobody abandon by accident an order that was answered %d: it may be paid all the same',
    async (status) => {
      let heard = 0
      foreign.after = (request, reply) => {
        if (!request.path.endsWith('/settlements')) return reply
        heard++
        return { status, body: 'hm' }
      }
      const lost = order(3n)
      await bench.engine.settle(lost)
      await waitFor('two answers', () => heard >= 2)
      expect(foreign.total(9)).toBe(3n)
      await expect(decide(lost, NOT_PAID)).rejects.toThrow(/may have order/)
      foreign.after = (_, reply) => reply
      await waitFor('the order to be settled', isSettled(lost.id))
    },
  )

  it.each([
    ['paid', 3n],
    ['not-paid', 0n],
  ] as const)(
    'ends a doubtful order as %s when an operator has looked, and never sends it again',
    async (outcome, settled) => {
      foreign.before = (request) => (request.path.endsWith('/settlements') ? CUT : undefined)
      const lost = order(3n)
      await bench.engine.settle(lost)
      await waitFor('an attempt', () => foreign.log.some((line) => line.includes('/settlements')))
      await decide(lost, { outcome, reason: 'seen in its books', doubtful: true })
      const told = outcome === 'paid' ? isSettled(lost.id) : () => bench.host.refusedOrders.has(lost.id)
      await waitFor('the node to know', told)
      foreign.before = () => undefined
      await bench.restart()
      await bench.engine.settle(lost)
      const next = order(1n)
      await bench.engine.settle(next)
      await waitFor('the next order', isSettled(next.id))
      expect(foreign.total(9)).toBe(1n)
      const statement = async () => await bench.engine.statement('alice')
      await waitFor('the books to close', async () => (await statement()).open.amount === 0n)
      expect((await statement()).settled).toEqual({ amount: settled + 1n, scale: 9 })
      expect(bench.host.settledOrders.size + bench.host.refusedOrders.size).toBe(2)
    },
  )

  it('ends an order that its lost journal knew, and does not carry it out when it comes again', async () => {
    const lost = order(8n)
    await expect(bench.engine.abandon(lost, NOT_PAID)).rejects.toThrow(/does not know it/)
    await bench.engine.abandon(lost, { outcome: 'paid', reason: 'seen in its books', doubtful: true })
    await waitFor('the node to know', isSettled(lost.id))
    await bench.engine.settle(lost)
    const other = bench.engine.abandon({ ...lost, accountId: 'bob' }, NOT_PAID)
    await expect(other).rejects.toThrow(/never opened/)
    const more = { ...lost, quantity: { amount: 9n, scale: 9 } }
    await expect(bench.engine.abandon(more, NOT_PAID)).rejects.toThrow(OrderConflictError)
    expect(foreign.total(9)).toBe(0n)
    expect((await bench.engine.statement('alice')).settled).toEqual({ amount: 8n, scale: 9 })
  })

  it('takes no order for a closed account, and finishes those it has', async () => {
    foreign.before = (request) => (request.path.endsWith('/settlements') ? { status: 503 } : undefined)
    const open = order(4n)
    await bench.engine.settle(open)
    await bench.engine.closeAccount('alice')
    await expect(bench.engine.settle(order(1n))).rejects.toThrow(EngineUnavailableError)
    await expect(bench.engine.receive('alice', Buffer.from('x'))).rejects.toThrow(MessageRefusedError)
    foreign.before = () => undefined
    await waitFor('the order to be settled', isSettled(open.id))
    expect(foreign.log.some((line) => line.startsWith('DELETE'))).toBe(false)
  })

  it('deletes accounts at the engine only when told to, and after their orders', async () => {
    await bench.destroy()
    bench = new EngineBench({ url: foreign.url, deleteAccounts: true })
    await bench.engine.start()
    await bench.engine.openAccount(account('alice'))
    foreign.before = (request) => (request.path.endsWith('/settlements') ? { status: 503 } : undefined)
    const open = order(4n)
    await bench.engine.settle(open)
    await bench.engine.closeAccount('alice')
    await waitFor('some attempts', () => foreign.log.length > 4)
    expect(foreign.log.some((line) => line.startsWith('DELETE'))).toBe(false)
    foreign.before = () => undefined
    await waitFor('the account to be deleted', () => foreign.log.includes('DELETE /accounts/alice'))
    expect(bench.host.settledOrders.has(open.id)).toBe(true)
  })

  it('carries messages of the peer to the engine', async () => {
    foreign.accounts.clear()
    const answer = await bench.engine.receive('alice', Buffer.from([0, 1, 255]))
    expect(answer).toEqual(Buffer.concat([Buffer.from('re:'), Buffer.from([0, 1, 255])]))
    const when = (status: number) => {
      foreign.before = (request) => (request.path.endsWith('/messages') ? { status } : undefined)
      return bench.engine.receive('alice', Buffer.from('x'))
    }
    await expect(when(400)).rejects.toMatchObject({ name: 'MessageRefusedError', code: 'http-400' })
    foreign.before = () => ({ status: 400, body: Buffer.from('stale-voucher: it is old') })
    await expect(bench.engine.receive('alice', Buffer.from('x'))).rejects.toMatchObject({
      name: 'MessageRefusedError',
      code: 'stale-voucher',
    })
    await expect(when(500)).rejects.toThrow(EngineUnavailableError)
    await expect(when(401)).rejects.toThrow(EngineUnavailableError)
    foreign.before = () => CUT
    await expect(bench.engine.receive('alice', Buffer.from('x'))).rejects.toThrow(EngineUnavailableError)
    foreign.before = () => ({ status: 201, body: Buffer.alloc(70_000) })
    await expect(bench.engine.receive('alice', Buffer.from('x'))).rejects.toThrow(EngineUnavailableError)
  })

  it('carries messages of the engine to the peer', async () => {
    const send = async () => {
      const response = await fetch(`${bench.engine.connectorUrl}/accounts/alice/messages`, {
        method: 'POST',
        headers: { 'content-type': 'application/octet-stream' },
        body: Buffer.from('hello'),
      })
      return { status: response.status, body: await response.text() }
    }
    expect(await send()).toEqual({ status: 201, body: 'peer:hello' })
    bench.host.sendError = new PeerMessageError('the peer said no', 'bad-message')
    expect(await send()).toEqual({ status: 400, body: 'bad-message: the peer said no\n' })
    bench.host.sendError = new PeerMessageError('no answer')
    expect(await send()).toMatchObject({ status: 502 })
  })

  const credit = (key: string, amount: bigint, scale = 6, accountId = 'alice') =>
    post(bench.engine.connectorUrl!, { account: accountId, key, amount, scale }, false)

  it('books a credit once under its key, repeated, at the same time and after a restart', async () => {
    const statuses = await Promise.all(Array.from({ length: 20 }, () => credit('k-1', 1_500n)))
    expect(new Set(statuses)).toEqual(new Set([201]))
    await waitFor('the credit', () => bench.host.credits.size === 1)
    await bench.restart()
    expect(await credit('k-1', 1_500n)).toBe(201)
    expect(await credit('k-1', 1_500_000n, 9)).toBe(201)
    expect(await credit('k-1', 1_501n)).toBe(409)
    await bench.engine.openAccount(account('bob'))
    expect(await credit('k-1', 1_500n, 6, 'bob')).toBe(409)
    expect(bench.host.credits.get('rfc38:rfc38:k-1')).toMatchObject({
      accountId: 'alice',
      assetCode: 'USD',
      quantity: { amount: 1_500n, scale: 6 },
    })
    await waitFor(
      'the statement',
      async () => (await bench.engine.statement('alice')).credited.amount === 1_500n,
    )
  })

  it('answers a credit as soon as it is stored, and tells the node until it has booked it', async () => {
    let told = 0
    bench.host.before = () => {
      if (++told < 4) throw new Error('the ledger is away')
    }
    bench.host.after = () => {
      if (told < 6) throw new Error('the answer was lost')
    }
    expect(await credit('k-2', 10n)).toBe(201)
    await waitFor('the credit', () => told >= 6)
    expect(bench.host.total(6)).toBe(10n)
  })

  it('answers 404 to a credit for an account that never was, and keeps aside one for a closed account', async () => {
    expect(await credit('k-3', 10n, 6, 'nobody')).toBe(404)
    await bench.engine.closeAccount('alice')
    expect(await credit('k-4', 10n)).toBe(201)
    await waitFor('the credit', () => bench.host.credits.size === 1)
    expect(bench.host.credits.get('rfc38:rfc38:k-4')).toMatchObject({ accountId: undefined })
    expect(bench.host.credits.get('rfc38:rfc38:k-4')!.sender).toContain('alice')
  })

  it('takes a credit of nothing and books none', async () => {
    expect(await credit('k-5', 0n)).toBe(201)
    expect(await credit('k-6', 1n)).toBe(201)
    await waitFor('the credit', () => bench.host.credits.size === 1)
    expect([...bench.host.credits.keys()]).toEqual(['rfc38:rfc38:k-6'])
  })

  it('refuses a credit of more than the ledger can ever book, and takes the next one', async () => {
    expect(await credit('k-7', 10n ** 38n, 9)).toBe(400)
    expect(await credit('k-8', 10n ** 33n, 0)).toBe(400)
    expect(await credit('k-9', 10n ** 77n, 70)).toBe(400)
    expect(await credit('k-10', 10n ** 38n - 1n, 9)).toBe(201)
    await waitFor('the credit', () => bench.host.credits.size === 1)
    expect([...bench.host.credits.keys()]).toEqual(['rfc38:rfc38:k-10'])
  })

  it('makes credit ids of at most 128 characters of any key', async () => {
    const long = `sha256-${'x'.repeat(200)}`
    for (const key of [long, 'a:b/c', `${'k'.repeat(80)}`]) expect(await credit(key, 1n)).toBe(201)
    await waitFor('the credits', () => bench.host.credits.size === 3)
    for (const id of bench.host.credits.keys()) expect(id).toMatch(/^[A-Za-z0-9_.:-]{1,128}$/)
  })

  it('can be probed', async () => {
    await bench.engine.probe(AbortSignal.timeout(5_000))
    await foreign.stop()
    await expect(bench.engine.probe(AbortSignal.timeout(5_000))).rejects.toThrow(/no answer/)
    await foreign.start()
  })

  it('does not start on a journal that another one holds', async () => {
    const second = new EngineJournal(bench.journalPath)
    expect(() => second.start()).toThrow(/no other process uses it/)
  })

  it.each([
    ['url', { url: 'http://user:pass@127.0.0.1/' }],
    ['url', { url: 'redis://127.0.0.1/' }],
    ['listen', { listen: { host: '0.0.0.0', port: 0 } }],
    ['name', { name: 'A b' }],
    ['scale', { scale: 256 }],
    ['retry', { retry: { firstMs: 1_000, maxMs: 3_600_001 } }],
  ])('refuses to run with a bad %s', (path, options) => {
    const make = () => new EngineBench({ url: 'http://127.0.0.1:1', ...options })
    expect(make).toThrow(EngineConfigError)
    expect(make).toThrow(expect.objectContaining({ path }))
  })
})

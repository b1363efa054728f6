import { describe, expect, it } from 'vitest'
import type {
  ReconciliationView,
  SettlementAccountView,
  SettlementView,
} from '../../../src/admin/services.ts'
import { LedgerUnavailableError } from '../../../src/ledger/ledger-store.ts'
import {
  type OrderVerdict,
  type SettlementOrder,
  VerdictRefusedError,
} from '../../../src/settlement/engine.ts'
import { useSettlementHarness } from './settlement-harness.ts'

const at = useSettlementHarness()

const settleNow = (body: unknown, key = 'k') =>
  at.call<SettlementView[]>('POST', `/settlements/accounts/${at.account.id}/settle-now`, {
    body,
    headers: { 'Idempotency-Key': key },
  })

describe('settling now', () => {
  it('plans once per key, and settles what was asked for', async () => {
    const replies = await Promise.all([settleNow({ amount: '200' }), settleNow({ amount: '200' })])
    expect(replies.map(({ status }) => status)).toEqual([202, 202])
    expect(new Set(replies.map(({ data }) => data[0]?.id)).size).toBe(1)
    await at.rig.run()
    await at.rig.engine.carryOut()
    await at.rig.run()
    const { data } = await at.call<SettlementView[]>('GET', '/settlements?direction=out&state=settled')
    expect(data).toMatchObject([{ amount: '200', accountId: at.account.id, cause: 'operator' }])
    expect((await at.books.booked(at.account)).balance).toBe(400n)
    const [{ id }] = data as [SettlementView]
    expect((await at.call('GET', `/settlements/${id}`)).data).toEqual(data[0])
  })

  it('takes a key for another account or amount as another request, and refuses it', async () => {
    const other = await at.books.account(9, 500n)
    await at.rig.add(other)
    await settleNow({})
    const { envelope } = await at.call('POST', `/settlements/accounts/${other.id}/settle-now`, {
      body: {},
      headers: { 'Idempotency-Key': 'k' },
    })
    expect(envelope.error?.code).toBe('CONFLICT')
    expect((await settleNow({ amount: '1' })).envelope.error?.code).toBe('CONFLICT')
    expect(at.rig.journal.outgoing.open(other.id)).toEqual([])
  })

  it('never settles more than is owed, and lets the key be used again after a refusal', async () => {
    const { envelope } = await settleNow({ amount: '601' })
    expect(envelope.error).toMatchObject({ code: 'CONFLICT', message: 'only 600 is owed, not 601' })
    await at.books.owe(at.account, 1n)
    expect((await settleNow({ amount: '601' })).data).toMatchObject([{ amount: '601' }])
  })

  it('refuses amounts that are none, unknown accounts and unknown fields', async () => {
    const path = `/settlements/accounts/${at.account.id}/settle-now`
    for (const amount of ['0', '-1', '1.5', '1e3', '01', '', ' 1', 5, null, '9'.repeat(39)]) {
      expect(await at.refused('POST', path, { amount })).toBe('VALIDATION_ERROR')
    }
    expect(await at.refused('POST', path, { amount: '1', scale: 2 })).toBe('VALIDATION_ERROR')
    expect(await at.refused('POST', path)).toBe('VALIDATION_ERROR')
    expect(await at.refused('POST', '/settlements/accounts/nobody/settle-now', {})).toBe('RESOURCE_NOT_FOUND')
    expect(await at.refused('POST', '/settlements/accounts/a%2Fb/settle-now', {})).toBe('VALIDATION_ERROR')
    expect(at.rig.journal.page({ limit: 10 })).toEqual([])
  })

  it('tells when the ledger cannot be asked', async () => {
    const balance = at.books.ledger.balance
    at.books.ledger.balance = () => Promise.reject(new LedgerUnavailableError('internal'))
    const { envelope } = await settleNow({})
    at.books.ledger.balance = balance
    expect(envelope.error).toMatchObject({
      code: 'SERVICE_UNAVAILABLE',
      message: expect.stringContaining('ledger'),
    })
    expect(JSON.stringify(envelope)).not.toContain('internal')
    expect((await settleNow({})).status).toBe(202)
  })
})

describe('accounts that settle', () => {
  it('are paused with a reason, seen so, and resumed', async () => {
    const path = `/settlements/accounts/${at.account.id}`
    for (const reason of ['', 'two\nlines', 'x'.repeat(257), 5]) {
      expect(await at.refused('POST', `${path}/pause`, { reason })).toBe('VALIDATION_ERROR')
    }
    const paused = await at.call<SettlementAccountView>('POST', `${path}/pause`, {
      body: { reason: 'looking' },
    })
    expect(paused.data.paused).toEqual({ reason: 'looking', sinceMs: at.rig.clock.nowMs })
    expect((await settleNow({})).envelope.error?.code).toBe('CONFLICT')
    expect((await at.call('GET', path)).data).toEqual(paused.data)
    const resumed = await at.call<SettlementAccountView>('POST', `${path}/resume`)
    expect(resumed.data).not.toHaveProperty('paused')
    expect(await at.refused('POST', '/settlements/accounts/nobody/pause', { reason: 'x' })).toBe(
      'RESOURCE_NOT_FOUND',
    )
  })

  it('come in pages, with their terms and what is under way', async () => {
    const other = await at.books.account(2, 0n)
    await at.rig.add(other, { paused: true, maxAmount: 50n })
    await settleNow({})
    const page = async (offset: number) => {
      const path = `/settlements/accounts?limit=1&offset=${offset}`
      const { data, envelope } = await at.call<SettlementAccountView[]>('GET', path)
      expect(envelope.pagination).toEqual({ total: 2, limit: 1, offset })
      return data
    }
    expect(await page(0)).toMatchObject([
      {
        accountId: at.account.id,
        engine: 'scripted',
        engineRunning: true,
        engineScale: 9,
        assetScale: 9,
        threshold: '1000',
        settleTo: '100',
        open: 1,
        openAmount: '500',
        openSinceMs: at.rig.clock.nowMs,
        remainder: { amount: '0', scale: 9 },
      },
    ])
    expect(await page(1)).toMatchObject([
      { accountId: other.id, maxAmount: '50', pausedByConfiguration: true, open: 0 },
    ])
    expect(await page(2)).toEqual([])
    expect(await at.refused('GET', '/settlements/accounts?limit=201')).toBe('VALIDATION_ERROR')
  })
})

describe('the list', () => {
  it('goes through every settlement once, by cursor, and filters', async () => {
    at.rig.engine.instant = true
    for (let index = 0; index < 7; index++) {
      await settleNow({ amount: '10' }, `key-${index}`)
      await at.rig.run()
    }
    const seen: string[] = []
    let before: unknown = ''
    for (let pages = 0; pages < 10 && before !== null; pages++) {
      const cursor = before === '' ? '' : `&before=${String(before)}`
      const path = `/settlements?limit=3&accountId=${at.account.id}${cursor}`
      const { data, envelope } = await at.call<SettlementView[]>('GET', path)
      seen.push(...data.map(({ id }) => id))
      before = envelope.pagination?.nextCursor
    }
    expect(before).toBeNull()
    expect(seen).toHaveLength(7)
    expect(new Set(seen).size).toBe(7)
    for (const [query, count] of [
      ['state=settled', 7],
      ['state=held', 0],
      ['direction=in', 0],
      ['accountId=nobody', 0],
      [`accountId=${at.account.id}&state=settled&direction=out`, 7],
    ]) {
      expect([query, (await at.call<unknown[]>('GET', `/settlements?${query}`)).data.length]).toEqual([
        query,
        count,
      ])
    }
  })

  it('refuses filters that are none', async () => {
    for (const query of [
      'state=lost',
      'direction=up',
      'limit=0',
      'limit=1001',
      'before=x',
      'accountId=a b',
      'x=1',
    ]) {
      expect([query, await at.refused('GET', `/settlements?${query}`)]).toEqual([query, 'VALIDATION_ERROR'])
    }
    for (const id of ['unheard-of', '%2F', `0x${'ab'.repeat(32)}`]) {
      expect(await at.refused('GET', `/settlements/${id}`)).toBe('RESOURCE_NOT_FOUND')
    }
    for (const id of ['a%20b', '%00', '%C3%A4', 'x'.repeat(129)]) {
      expect(await at.refused('GET', `/settlements/${id}`)).toBe('VALIDATION_ERROR')
      expect(await at.refused('GET', `/channels/${id}`)).toBe('VALIDATION_ERROR')
      expect(await at.refused('POST', `/channels/${id}/claim`)).toBe('VALIDATION_ERROR')
    }
  })
})

describe('a settlement that its engine will never end', () => {
  const abandon = (id: string, body: unknown) =>
    at.call<SettlementView>('POST', `/settlements/${id}/abandon`, { body })

  it('is ended by an operator who says what is so, and how it is known', async () => {
    const heard: OrderVerdict[] = []
    at.rig.engine.outcome = () => 'open'
    const { data } = await settleNow({})
    const [{ id }] = data as [SettlementView]
    await at.rig.run()
    const verdict = { outcome: 'not-paid', reason: 'not in its books', doubtful: true }
    expect((await abandon(id, verdict)).envelope.error?.code).toBe('NOT_SUPPORTED')
    Object.assign(at.rig.engine, {
      abandon: async (_: SettlementOrder, said: OrderVerdict) => {
        if (!said.doubtful) throw new VerdictRefusedError('the engine may have the order')
        heard.push(said)
      },
    })
    for (const wrong of [
      {},
      { outcome: 'perhaps', reason: 'x' },
      { outcome: 'paid' },
      { outcome: 'paid', reason: ' ' },
      { outcome: 'paid', reason: 'a\nb' },
      { ...verdict, extra: 1 },
    ]) {
      expect((await abandon(id, wrong)).envelope.error?.code).toBe('VALIDATION_ERROR')
    }
    const careless = await abandon(id, { outcome: 'paid', reason: 'I think so' })
    expect(careless.envelope.error).toMatchObject({
      code: 'CONFLICT',
      message: 'the engine may have the order',
    })
    expect((await abandon('unheard-of', verdict)).envelope.error?.code).toBe('RESOURCE_NOT_FOUND')
    expect(heard).toEqual([])
    const done = await abandon(id, verdict)
    expect([done.status, done.data.state]).toEqual([202, 'handed-over'])
    expect(done.data.reason).toContain('not in its books')
    expect(heard).toMatchObject([{ outcome: 'not-paid', doubtful: true }])
  })
})

describe('credits in suspense', () => {
  const stray = async (id: string) => {
    const quantity = { amount: 5n, scale: 9 }
    at.rig.engine.payIn({ id, accountId: undefined, assetCode: 'XRP', quantity, sender: 'r123' })
    await at.rig.engine.tellAll()
  }
  const attribute = (id: string, accountId: string) =>
    at.call<SettlementView>('POST', `/settlements/${encodeURIComponent(id)}/attribute`, {
      body: { accountId },
    })

  it('are listed and given to an account once, whatever their ids look like', async () => {
    const id = 'evm:1:0xab/3?%'
    await stray(id)
    const listed = await at.call<SettlementView[]>('GET', '/settlements/suspense')
    expect(listed.data).toMatchObject([{ id, sender: 'r123', quantity: { amount: '5', scale: 9 } }])
    expect(listed.data[0]).not.toHaveProperty('amount')
    for (let time = 0; time < 2; time++) {
      const { status, data } = await attribute(id, at.account.id)
      expect([status, data.state, data.amount]).toEqual([200, 'booked', '5'])
    }
    expect((await at.books.booked(at.account)).balance).toBe(605n)
    expect((await at.call('GET', '/settlements/suspense')).data).toEqual([])
    const other = await at.books.account(9, 0n)
    await at.rig.add(other)
    expect((await attribute(id, other.id)).envelope.error?.code).toBe('CONFLICT')
    expect((await attribute('unheard-of', at.account.id)).envelope.error?.code).toBe('RESOURCE_NOT_FOUND')
  })

  it('reach their account by themselves when the ledger was away', async () => {
    await stray('stray-1')
    const settleIn = at.books.ledger.settleIn
    at.books.ledger.settleIn = () => Promise.reject(new LedgerUnavailableError('away'))
    expect((await attribute('stray-1', at.account.id)).envelope.error?.code).toBe('SERVICE_UNAVAILABLE')
    at.books.ledger.settleIn = settleIn
    expect((await at.books.booked(at.account)).balance).toBe(600n)
    await at.rig.run()
    expect((await at.call<SettlementView>('GET', '/settlements/stray-1')).data.state).toBe('booked')
    expect((await at.books.booked(at.account)).balance).toBe(605n)
  })
})

describe('reconciliation', () => {
  it('has no report at first, then that of the last check, with exact amounts', async () => {
    expect(await at.refused('GET', '/settlements/reconcile')).toBe('RESOURCE_NOT_FOUND')
    const ofAccount = ({ discrepancies }: ReconciliationView) =>
      discrepancies.filter(({ accountId }) => accountId === at.account.id)
    const first = await at.call<ReconciliationView>('POST', '/settlements/reconcile')
    expect(first.data).toMatchObject({ accountsChecked: 1, unchecked: [] })
    expect(ofAccount(first.data)).toEqual([])
    at.rig.engine.differences = ['channel 1 closed with 5 paid of 9 credited']
    const second = await at.call<ReconciliationView>('POST', '/settlements/reconcile')
    expect(ofAccount(second.data)).toEqual([
      {
        accountId: at.account.id,
        engine: 'scripted',
        assetCode: 'XRP',
        assetScale: 9,
        amount: '0',
        differences: ['engine and network: channel 1 closed with 5 paid of 9 credited'],
      },
    ])
    expect((await at.call('GET', '/settlements/reconcile')).data).toEqual(second.data)
  })
})

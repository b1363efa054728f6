import { expect, it } from 'vitest'
import type {
  AcceptedDifferenceView,
  ReconciliationView,
  SettlementAccountView,
} from '../../../src/admin/services.ts'
import { useSettlementHarness } from './settlement-harness.ts'

const at = useSettlementHarness()

const accept = (body: unknown, key: string) =>
  at.call<AcceptedDifferenceView>('POST', '/settlements/engines/scripted/accept-difference', {
    body,
    headers: { 'Idempotency-Key': key },
  })

it('accepts exactly the difference that reconciliation shows, once', async () => {
  const { account, rig } = at
  await rig.ledger.settleIn({ id: 'planted', account, engine: 'scripted', amount: 123n })
  const reconcile = () => at.call<ReconciliationView>('POST', '/settlements/reconcile')
  expect((await reconcile()).data.discrepancies[0]?.differences.join()).toContain('the difference is -123')
  const body = { assetCode: 'XRP', amount: '-123', reason: 'the journal is older' }
  expect((await accept({ ...body, amount: '123' }, 'a')).envelope.error).toMatchObject({ code: 'CONFLICT' })
  for (const wrong of [{ amount: '-0' }, { amount: '1.5' }, { reason: ' ' }, { assetScale: 256 }]) {
    expect((await accept({ ...body, ...wrong }, JSON.stringify(wrong))).status).toBe(400)
  }
  const replies = [await accept(body, 'b'), await accept(body, 'b')]
  for (const { data, status } of replies) {
    expect(status).toBe(200)
    expect(data).toMatchObject({ amount: '-123', paid: '0', received: '123', assetScale: 9 })
  }
  expect((await accept(body, 'c')).envelope.error).toMatchObject({ code: 'CONFLICT' })
  const { discrepancies } = (await reconcile()).data
  expect(discrepancies.filter(({ accountId }) => accountId === undefined)).toEqual([])
})

it('is refused for an engine that does not run, and shows nothing while all is well', async () => {
  const path = '/settlements/engines/nobody/accept-difference'
  const body = { assetCode: 'XRP', amount: '1', reason: 'why not' }
  const { envelope } = await at.call('POST', path, { body, headers: { 'Idempotency-Key': 'k' } })
  expect(envelope.error?.code).toBe('RESOURCE_NOT_FOUND')
  const { data } = await at.call<SettlementAccountView>('GET', `/settlements/accounts/${at.account.id}`)
  expect(data.shutReason).toBeUndefined()
})

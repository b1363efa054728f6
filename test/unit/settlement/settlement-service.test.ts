import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { ServiceError } from '../../../src/admin/services.ts'
import type { LedgerAccount } from '../../../src/ledger/ledger.ts'
import { silentLogger } from '../../../src/lib/logger.ts'
import type { ChannelView } from '../../../src/settlement/engine.ts'
import { Reconciliation } from '../../../src/settlement/reconciliation.ts'
import { Settlements } from '../../../src/settlement/settlement-service.ts'
import { SettlementRig, TestBooks } from './settlement-rig.ts'

const CHANNEL: ChannelView = {
  id: 'channel-1',
  accountId: 'alice',
  direction: 'out',
  state: 'open',
  token: 'XRP',
  tokenScale: 6,
  deposit: 100n,
  claimed: 0n,
  unclaimed: 10n,
  expiresAtMs: undefined,
}

let books: TestBooks
let rig: SettlementRig
let account: LedgerAccount
let service: Settlements

beforeEach(async () => {
  books = await TestBooks.open()
  rig = new SettlementRig(books, { name: books.unique('node') })
  account = await books.account(9, 600n)
  await rig.start([{ account }])
  const { journal, coordinator, alarms, clock } = rig
  const reconciliation = new Reconciliation(
    { confirmMs: 1, pendingIsHeld: true },
    {
      journal,
      ledger: rig.ledger,
      accounts: () => coordinator.settledAccounts,
      engine: (name) => coordinator.engine(name),
      clock,
      logger: silentLogger,
      alarms,
      difference: () => undefined,
      unchecked: () => undefined,
    },
  )
  service = new Settlements({ coordinator, journal, reconciliation, engines: () => [] })
})

afterEach(async () => {
  await rig.stop()
  await books.close()
})

async function code(action: () => unknown): Promise<string> {
  try {
    await action()
    return 'done'
  } catch (error) {
    return error instanceof ServiceError ? error.code : `not a refusal: ${String(error)}`
  }
}

describe('settlements for operators', () => {
  it('are listed newest first, page by page, both directions', async () => {
    const stray = books.unique('stray')
    await service.settleNow(account.id, '100')
    await rig.run()
    rig.engine.payIn({
      id: stray,
      accountId: undefined,
      assetCode: 'XRP',
      quantity: { amount: 5n, scale: 9 },
      sender: 'r123',
    })
    await rig.engine.tellAll()
    await service.settleNow(account.id, '200')
    const all = service.list({ limit: 10 })
    expect(all.map(({ direction, amount }) => [direction, amount])).toEqual([
      ['out', '200'],
      ['in', undefined],
      ['out', '100'],
    ])
    const [newest, second] = all
    expect(service.list({ limit: 1, before: newest!.cursor })).toEqual([second])
    expect(service.list({ limit: 10, accountId: account.id })).toHaveLength(2)
    expect(service.list({ limit: 10, direction: 'in' })).toEqual([second])
    expect(service.get(stray)).toMatchObject({ state: 'suspended', sender: 'r123' })
    expect(service.get(newest!.id)).toEqual(newest)
    expect(service.get('unheard-of')).toBeUndefined()
    expect(service.list({ limit: 10, state: 'suspended' })).toEqual([second])
    expect(service.list({ limit: 10, state: 'refused' })).toEqual([])
    expect(await service.attribute(stray, account.id, undefined)).toMatchObject({
      state: 'booked',
      amount: '5',
    })
    expect(service.list({ limit: 10, state: 'suspended' })).toEqual([])
  })

  it('can be paused and resumed, and seen per account', async () => {
    await service.pause(account.id, 'maintenance')
    expect(service.accounts({ offset: 0, limit: 10 })).toMatchObject({
      accounts: [{ accountId: account.id, threshold: '1000', paused: { reason: 'maintenance' }, open: 0 }],
      total: 1,
    })
    expect(service.accounts({ offset: 1, limit: 10 })).toEqual({ accounts: [], total: 1 })
    expect(service.account('nobody')).toBeUndefined()
    expect(await code(() => service.settleNow(account.id, undefined))).toBe('CONFLICT')
    await service.resume(account.id)
    expect(service.account(account.id)?.paused).toBeUndefined()
    expect((await service.settleNow(account.id, undefined)).map(({ amount }) => amount)).toEqual(['500'])
    expect(service.lastReconciliation()).toBeUndefined()
    const report = await service.reconcile()
    expect(report).toMatchObject({ accountsChecked: 1, discrepancies: [], unchecked: [] })
    expect(service.lastReconciliation()).toEqual(report)
  })

  it('refuse what cannot be done with a code', async () => {
    expect(await code(() => service.list({ limit: 0 }))).toBe('VALIDATION_ERROR')
    expect(await code(() => service.list({ limit: 1, before: 'x' }))).toBe('VALIDATION_ERROR')
    for (const amount of ['0', '-1', '1.5', '1e3', 'x', '1'.repeat(39)]) {
      expect(await code(() => service.settleNow(account.id, amount))).toBe('VALIDATION_ERROR')
    }
    expect(await code(() => service.settleNow('nobody', '1'))).toBe('RESOURCE_NOT_FOUND')
    expect(await code(() => service.pause('nobody', 'x'))).toBe('RESOURCE_NOT_FOUND')
    expect(await code(() => service.attribute('nothing', account.id, undefined))).toBe('RESOURCE_NOT_FOUND')
    expect(await code(() => service.openChannel('nobody', '1'))).toBe('RESOURCE_NOT_FOUND')
    expect(await code(() => service.openChannel(account.id, '1'))).toBe('NOT_SUPPORTED')
    expect(await code(() => service.claimChannel('nothing'))).toBe('RESOURCE_NOT_FOUND')
    expect(service.list({ limit: 10 })).toEqual([])
  })

  it('show channels and count what happens to them', async () => {
    rig.engine.channelViews = [CHANNEL]
    await rig.pass(10_000)
    const view = { deposit: '100', claimed: '0', unclaimed: '10', assetCode: undefined, engine: 'scripted' }
    expect(service.channels()).toEqual([{ ...CHANNEL, ...view }])
    expect(service.channel('channel-1')).toEqual(service.channels()[0])
    expect(await code(() => service.closeChannel('channel-1'))).toBe('NOT_SUPPORTED')
    rig.metrics.events = []
    rig.engine.channelViews = [{ ...CHANNEL, deposit: 150n, state: 'disputed' }]
    await rig.pass(10_000)
    expect(rig.metrics.events).toEqual(['funded', 'disputed', 'open=0', 'closing=0', 'disputed=1'])
    rig.metrics.events = []
    rig.engine.channelViews = [{ ...CHANNEL, deposit: 150n, state: 'closed' }]
    await rig.pass(10_000)
    expect(rig.metrics.events).toContain('closed disputed')
  })
})

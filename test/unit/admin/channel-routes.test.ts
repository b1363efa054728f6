import { beforeEach, describe, expect, it } from 'vitest'
import {
  type ChannelOperations,
  type ChannelView,
  EngineUnavailableError,
  PeerMessageError,
} from '../../../src/settlement/engine.ts'
import { expectError } from '../../contract/expect-error.ts'
import { useSettlementHarness } from './settlement-harness.ts'

const CHANNEL: ChannelView = {
  id: `0x${'ab'.repeat(32)}`,
  accountId: 'set per test',
  direction: 'out',
  state: 'open',
  token: '0xcdcd',
  tokenScale: 18,
  deposit: 2n ** 128n - 1n,
  claimed: 2n ** 64n,
  unclaimed: 1n,
  expiresAtMs: undefined,
}

const at = useSettlementHarness()

describe('channels', () => {
  const operated: string[] = []
  const operations = (fail?: Error): ChannelOperations => {
    const done = async (what: string): Promise<ChannelView> => {
      if (fail !== undefined) throw fail
      operated.push(what)
      return at.rig.engine.channelViews[0]!
    }
    return {
      open: (accountId, deposit) => done(`open ${accountId} ${deposit}`),
      topUp: (_, amount) => done(`top-up ${amount}`),
      claim: () => done('claim'),
      close: () => done('close'),
    }
  }

  beforeEach(() => {
    operated.length = 0
    at.rig.engine.channelViews = [
      { ...CHANNEL, accountId: at.account.id },
      {
        ...CHANNEL,
        id: 'lightning:1x2x3',
        accountId: 'gone',
        direction: 'in',
        state: 'closing',
        expiresAtMs: 5,
      },
    ]
    at.rig.engine.operations = operations()
  })

  it('are listed with exact amounts, filtered and one by one', async () => {
    const { data, envelope } = await at.call<unknown[]>('GET', '/channels')
    expect(data).toEqual([
      {
        id: CHANNEL.id,
        engine: 'scripted',
        accountId: at.account.id,
        assetCode: 'XRP',
        direction: 'out',
        state: 'open',
        token: '0xcdcd',
        tokenScale: 18,
        deposit: '340282366920938463463374607431768211455',
        claimed: '18446744073709551616',
        unclaimed: '1',
      },
      expect.objectContaining({ id: 'lightning:1x2x3', expiresAtMs: 5 }),
    ])
    expect(envelope.pagination).toMatchObject({ total: 2 })
    expect((await at.call('GET', `/channels/${CHANNEL.id}`)).data).toEqual(data[0])
    expect((await at.call('GET', '/channels/lightning%3A1x2x3')).data).toEqual(data[1])
    expect(await at.refused('GET', '/channels/0x1')).toBe('RESOURCE_NOT_FOUND')
    for (const [query, count] of [
      [`accountId=${at.account.id}`, 1],
      ['engine=scripted', 2],
      ['engine=evm', 0],
      ['direction=in', 1],
      ['state=closing', 1],
      ['state=closing&direction=out', 0],
      ['limit=1&offset=1', 1],
    ]) {
      expect([query, (await at.call<unknown[]>('GET', `/channels?${query}`)).data.length]).toEqual([
        query,
        count,
      ])
    }
    for (const query of ['state=gone', 'direction=up', 'engine=a b', 'x=1']) {
      expect(await at.refused('GET', `/channels?${query}`)).toBe('VALIDATION_ERROR')
    }
  })

  it('are opened, topped up, claimed and closed, once per key', async () => {
    const post = (path: string, body?: unknown) =>
      at.call('POST', path, {
        headers: { 'Idempotency-Key': path },
        ...(body === undefined ? {} : { body }),
      })
    const deposit = '9'.repeat(38)
    for (let time = 0; time < 2; time++) {
      expect((await post('/channels', { accountId: at.account.id, deposit })).status).toBe(202)
      expect((await post(`/channels/${CHANNEL.id}/top-up`, { amount: '7' })).status).toBe(202)
      expect((await post(`/channels/${CHANNEL.id}/claim`)).status).toBe(202)
      expect((await post(`/channels/${CHANNEL.id}/close`)).status).toBe(202)
    }
    expect(operated).toEqual([`open ${at.account.id} ${deposit}`, 'top-up 7', 'claim', 'close'])
  })

  it('refuse with the reason amounts that are too large, missing bodies and empty keys', async () => {
    const topUp = `/channels/${CHANNEL.id}/top-up`
    const faults: [{ body?: unknown; headers?: Record<string, string> }, string][] = [
      [{ body: { amount: '9'.repeat(39) } }, 'amount: the number is too large: at most 38 digits'],
      [{ body: { amount: '-1' } }, 'amount: write a whole number of smallest units above 0'],
      [{}, 'the request needs a JSON object as its body'],
      [{ body: { amount: '1' }, headers: { 'Idempotency-Key': '' } }, 'Idempotency-Key is 1 to 128'],
    ]
    for (const [request, message] of faults) {
      const { envelope } = await at.call('POST', topUp, request)
      const error = { code: 'VALIDATION_ERROR', message: expect.stringContaining(message) }
      expect(envelope.error).toMatchObject(error)
    }
    expect(operated).toEqual([])
  })

  it('refuse with the reason what engine, peer or request do not allow', async () => {
    const close = `/channels/${CHANNEL.id}/close`
    const faults: [Error, string, string][] = [
      [new RangeError('the channel is closed'), 'CONFLICT', 'the channel is closed'],
      [new EngineUnavailableError('the chain is away'), 'SERVICE_UNAVAILABLE', 'the chain is away'],
      [new PeerMessageError('no answer'), 'SERVICE_UNAVAILABLE', 'the peer gave no good answer: no answer'],
    ]
    for (const [fault, code, message] of faults) {
      at.rig.engine.operations = operations(fault)
      expect((await at.call('POST', close)).envelope.error).toMatchObject({ code, message })
    }
    at.rig.engine.operations = undefined
    expect(await at.refused('POST', close)).toBe('NOT_SUPPORTED')
    expect(await at.refused('POST', '/channels/0x1/close')).toBe('RESOURCE_NOT_FOUND')
    expect(await at.refused('POST', '/channels', { accountId: 'nobody', deposit: '1' })).toBe(
      'RESOURCE_NOT_FOUND',
    )
    for (const body of [
      { accountId: at.account.id },
      { accountId: at.account.id, deposit: '0' },
      { deposit: '1' },
      [],
    ]) {
      expect(await at.refused('POST', '/channels', body)).toBe('VALIDATION_ERROR')
    }
    expect(await at.refused('POST', `/channels/${CHANNEL.id}/top-up`, { amount: 1 })).toBe('VALIDATION_ERROR')
    expect(operated).toEqual([])
  })

  it('give away nothing of a fault that nobody expected', async () => {
    at.rig.engine.operations = operations(new Error('canary-internal'))
    const reply = await at.node.call('POST', `/api/admin/channels/${CHANNEL.id}/claim`)
    expect(JSON.stringify(await expectError(reply, 'INTERNAL_SERVER_ERROR'))).not.toContain('canary')
  })
})

describe('a node without settlement engines', () => {
  beforeEach(() => {
    at.node.services.settlements = undefined
  })

  it('has empty lists', async () => {
    for (const path of ['/settlements', '/settlements/suspense', '/settlements/accounts', '/channels']) {
      expect((await at.call('GET', path)).data).toEqual([])
    }
    for (const path of ['/settlements/x', '/settlements/accounts/x', '/channels/x']) {
      expect(await at.refused('GET', path)).toBe('RESOURCE_NOT_FOUND')
    }
  })

  it('says so when it is asked to settle', async () => {
    const asked: [string, unknown][] = [
      ['/settlements/x/attribute', { accountId: 'x' }],
      ['/settlements/x/abandon', { outcome: 'paid', reason: 'x' }],
      ['/settlements/accounts/x/settle-now', {}],
      ['/settlements/accounts/x/pause', { reason: 'x' }],
      ['/settlements/accounts/x/resume', undefined],
      ['/settlements/reconcile', undefined],
      ['/channels', { accountId: 'x', deposit: '1' }],
      ['/channels/x/top-up', { amount: '1' }],
      ['/channels/x/claim', undefined],
      ['/channels/x/close', undefined],
    ]
    for (const [path, body] of asked) {
      const { envelope } = await at.call('POST', path, body === undefined ? {} : { body })
      expect(envelope.error).toMatchObject({
        code: 'NOT_SUPPORTED',
        message: expect.stringContaining('no settlement engine is configured'),
      })
    }
    expect(await at.refused('GET', '/settlements/reconcile')).toBe('NOT_SUPPORTED')
  })
})

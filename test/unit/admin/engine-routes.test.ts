import { describe, expect, it } from 'vitest'
import type { SettlementEngineView } from '../../../src/admin/services.ts'
import {
  type ChannelView,
  EngineUnavailableError,
  ResumeRefusedError,
  type SettlementEngine,
} from '../../../src/settlement/engine.ts'
import { useSettlementHarness } from './settlement-harness.ts'

const CHANNEL: ChannelView = {
  id: '0x1',
  accountId: 'alice',
  direction: 'out',
  state: 'open',
  token: '0xcdcd',
  tokenScale: 18,
  deposit: 1n,
  claimed: 0n,
  unclaimed: 0n,
  expiresAtMs: undefined,
}
const RESUME = '/settlements/engines/scripted/resume'

const at = useSettlementHarness()

const list = async () => (await at.call<SettlementEngineView[]>('GET', '/settlements/engines')).data

/** The engine is one that halts. */
function halting(parts: Pick<SettlementEngine, 'trouble' | 'resume'>): void {
  Object.assign(at.rig.engine, parts)
}

describe('engines', () => {
  it('are listed whether they run or not, with what waits for them', async () => {
    at.engines.push({ name: 'remote', type: 'rfc38', sinceMs: 5, lastError: 'connection refused' })
    at.rig.engine.channelViews = [CHANNEL, { ...CHANNEL, id: '0x2', state: 'closed' }]
    expect(
      (await at.call('POST', `/settlements/accounts/${at.account.id}/settle-now`, { body: {} })).status,
    ).toBe(202)
    await at.rig.run()
    expect(await list()).toEqual([
      {
        name: 'scripted',
        type: 'test',
        running: true,
        sinceMs: 1,
        accounts: 1,
        open: 1,
        openSinceMs: at.rig.clock.now(),
        suspended: 0,
        channels: 1,
      },
      {
        name: 'remote',
        type: 'rfc38',
        running: false,
        sinceMs: 5,
        lastError: 'connection refused',
        accounts: 0,
        open: 0,
        suspended: 0,
        channels: 0,
      },
    ])
  })

  it('are listed though one of them cannot tell how it is', async () => {
    halting({
      trouble: () => {
        throw new Error('the disk is full')
      },
    })
    expect(await list()).toMatchObject([
      { running: true, trouble: 'it cannot tell how it is: the disk is full' },
    ])
  })

  it('are none where none is configured', async () => {
    at.node.services.settlements = undefined
    expect(await list()).toEqual([])
    expect(await at.refused('POST', RESUME)).toBe('NOT_SUPPORTED')
  })
})

describe('resuming an engine', () => {
  it('ends its halt, once per key, and shows what is the matter still', async () => {
    let trouble: string | undefined = 'another process uses the key'
    let resumed = 0
    halting({
      trouble: () => trouble,
      resume: async () => {
        if (trouble === undefined) throw new ResumeRefusedError('the engine is not halted')
        trouble = undefined
        resumed++
      },
    })
    expect(await list()).toMatchObject([{ trouble }])
    const headers = { 'Idempotency-Key': 'k' }
    for (let time = 0; time < 2; time++) {
      const { status, data } = await at.call<SettlementEngineView>('POST', RESUME, { headers })
      expect(status).toBe(200)
      expect(data).toMatchObject({ name: 'scripted', running: true })
      expect(data).not.toHaveProperty('trouble')
    }
    expect(resumed).toBe(1)
    const { envelope } = await at.call('POST', RESUME)
    expect(envelope.error).toMatchObject({ code: 'CONFLICT', message: 'the engine is not halted' })
  })

  it('is refused with the reason: unknown, not running, one that never halts, a network that does not show', async () => {
    expect(await at.refused('POST', '/settlements/engines/xrp/resume')).toBe('RESOURCE_NOT_FOUND')
    at.engines.push({ name: 'remote', type: 'rfc38', sinceMs: 5, lastError: 'away' })
    expect(await at.refused('POST', '/settlements/engines/remote/resume')).toBe('SERVICE_UNAVAILABLE')
    expect(await at.refused('POST', RESUME)).toBe('NOT_SUPPORTED')
    halting({ resume: () => Promise.reject(new EngineUnavailableError('no node shows nonce 6')) })
    const { envelope } = await at.call('POST', RESUME)
    expect(envelope.error).toMatchObject({ code: 'SERVICE_UNAVAILABLE', message: 'no node shows nonce 6' })
  })
})

import { describe, expect, it } from 'vitest'
import { systemClock } from '../../../src/lib/clock.ts'
import { silentLogger } from '../../../src/lib/logger.ts'
import { EngineRunner } from '../../../src/node/engine-runner.ts'
import { EngineConfigError, type SettlementEngine } from '../../../src/settlement/engine.ts'
import { waitFor } from '../../support/wait-for.ts'

/** Starts as `outcomes` say, one after the other; well when they are used up. */
function scene(...outcomes: Error[]) {
  const calls: string[] = []
  const engine = {
    name: 'evm',
    start: async () => {
      calls.push('start')
      const outcome = outcomes.shift()
      if (outcome !== undefined) throw outcome
    },
    stop: async () => {
      calls.push('stop')
    },
  } as unknown as SettlementEngine
  const coordinator = {
    addEngine: async () => {
      calls.push('added')
    },
  }
  const runner = new EngineRunner({ engine, coordinator, clock: systemClock, logger: silentLogger })
  return { calls, runner }
}

describe('an engine that is brought up', () => {
  it('gets its accounts once it has started', async () => {
    const { calls, runner } = scene()
    expect(runner.status).toEqual({ sinceMs: undefined, lastError: undefined })
    await runner.start()
    expect(runner.status).toEqual({ sinceMs: expect.any(Number), lastError: undefined })
    expect(calls).toEqual(['start', 'added'])
    await runner.stop()
    expect(calls).toEqual(['start', 'added', 'stop'])
  })

  it('keeps the node from starting when it must not run as it is configured', async () => {
    const { calls, runner } = scene(new EngineConfigError('chainId', 'another chain'))
    await expect(runner.start()).rejects.toThrow('another chain')
    expect(calls).toEqual(['start'])
  })

  it('lets the node start while its network is away, and comes up later', async () => {
    const { calls, runner } = scene(new Error('connection refused'))
    await runner.start()
    expect(calls).toEqual(['start'])
    const { sinceMs, lastError } = runner.status
    expect(lastError).toBe('connection refused')
    await waitFor('it is up', async () => calls.includes('added'))
    expect(calls).toEqual(['start', 'start', 'added'])
    await waitFor('it says so', async () => runner.status.lastError === undefined)
    expect(runner.status.sinceMs).toBeGreaterThan(sinceMs!)
    await runner.stop()
  })

  it('does not come up any more once it is stopped', async () => {
    const { calls, runner } = scene(new Error('connection refused'), new Error('connection refused'))
    await runner.start()
    await runner.stop()
    await new Promise((resolve) => setTimeout(resolve, 1_200))
    expect(calls).toEqual(['start', 'stop'])
  })
})

import { afterEach, describe, expect, it, vi } from 'vitest'
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
  return { calls, engine, runner }
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

  describe('and takes its time', () => {
    afterEach(() => {
      vi.useRealTimers()
    })

    it('is started once, when it comes up after the node went on without it', async () => {
      vi.useFakeTimers()
      const { calls, engine, runner } = scene()
      const network = Promise.withResolvers<void>()
      engine.start = async () => {
        calls.push('start')
        await network.promise
      }
      const started = runner.start()
      await vi.advanceTimersByTimeAsync(10_000)
      await started
      expect(runner.status.lastError).toBe('not started within 10000 ms')
      network.resolve()
      await vi.advanceTimersByTimeAsync(120_000)
      expect(calls).toEqual(['start', 'added'])
      expect(runner.status.lastError).toBeUndefined()
      await runner.stop()
    })

    it('does not keep the node from stopping', async () => {
      vi.useFakeTimers()
      const { engine, runner } = scene()
      engine.start = () => new Promise(() => undefined)
      const started = runner.start()
      const stopped = runner.stop().catch((error: Error) => error.message)
      await vi.advanceTimersByTimeAsync(15_000)
      expect(await stopped).toBe('engine evm did not stop within 15000 ms')
      await started
    })
  })
})

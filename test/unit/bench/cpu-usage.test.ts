import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import { describe, expect, it } from 'vitest'
import { CpuUsage, canReadProcesses, residentBytes } from '../../../bench/load/cpu-usage.ts'

const NO_PID = 0x7fff_fff0

function burn(milliseconds: number): void {
  const until = process.cpuUsage().user + milliseconds * 1_000
  while (process.cpuUsage().user < until) Math.sqrt(2)
}

describe.runIf(canReadProcesses())('CpuUsage', () => {
  it('tells what a process burns', () => {
    const usage = new CpuUsage([process.pid])
    const before = process.cpuUsage()
    burn(60)
    const { user, system } = process.cpuUsage(before)
    expect(Math.abs(usage.elapsedUs() - (user + system))).toBeLessThan(30_000)
  })

  it('counts threads that begin and end in between', async () => {
    const script =
      'const t = process.cpuUsage().user + 150_000; while (process.cpuUsage().user < t) Math.sqrt(2)'
    const early = new Worker('setTimeout(() => undefined, 60_000)', { eval: true })
    await once(early, 'online')
    const usage = new CpuUsage([process.pid])
    await early.terminate()
    await once(new Worker(script, { eval: true }), 'exit')
    expect(usage.elapsedUs()).toBeGreaterThan(100_000)
  })

  it('has no figure for a process that is gone', () => {
    expect(new CpuUsage([process.pid, NO_PID]).elapsedUs()).toBeNaN()
    expect(residentBytes([process.pid, NO_PID])).toBeNaN()
  })

  it('adds up the memory of several processes', () => {
    const one = residentBytes([process.pid])
    expect(one).toBeGreaterThan(10_000_000)
    expect(residentBytes([process.pid, process.pid])).toBeGreaterThan(1.5 * one)
  })
})

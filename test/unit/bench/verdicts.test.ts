import { describe, expect, it } from 'vitest'
import type { CaseResult } from '../../../bench/cases/case.ts'
import type { WindowResult } from '../../../bench/load/load.ts'
import { verdicts } from '../../../bench/report/verdicts.ts'

/** One second at a rate, with a latency and CPU time per packet. */
function result(rate: number, { p50 = 1, cpuUs = 5 } = {}): WindowResult {
  return {
    seconds: 1,
    fulfilled: rate,
    everFulfilledByPayer: [rate],
    failed: {},
    sent: rate,
    fulfilledByPayer: [rate],
    sentByPayer: [rate],
    latencyMs: { p50, p99: 2 * p50, p999: 3 * p50, max: 4 * p50 },
    connectorCpuUs: rate * cpuUs,
    loadCpuUs: rate,
    connectorRssBytes: 1,
  }
}

function hop(windows: Record<string, Record<string, WindowResult[]>>): CaseResult {
  return {
    name: 'hop',
    title: 'One hop',
    series: Object.entries(windows).map(([key, byName]) => ({
      key,
      title: key,
      windows: Object.entries(byName).map(([name, results]) => ({ name, results })),
    })),
    facts: { diskFlushMs: 0.5 },
  }
}

const found = (cases: CaseResult[], claim: string) =>
  verdicts(cases).find((each) => each.claim.startsWith(claim))

describe('verdicts', () => {
  it('says of everything that did not run that it was not measured', () => {
    const all = verdicts([])
    expect(all.length).toBeGreaterThan(15)
    for (const verdict of all) expect(verdict).toMatchObject({ isMet: 'not measured', figure: '' })
  })

  it('compares medians of rounds of the same run', () => {
    const theirs = { 'ilp-connector': { 'closed-512': [result(10), result(12), result(11)] } }
    const ours = (rates: number[]) => ({
      'causeway-btp': { 'closed-512': rates.map((rate) => result(rate)) },
    })
    const claim = '512 in flight: packets/s as multiple of ilp-connector'
    expect(found([hop({ ...theirs, ...ours([165, 1, 9_999]) })], claim)).toMatchObject({
      isMet: 'yes',
      figure: '15.0',
    })
    expect(found([hop({ ...theirs, ...ours([164, 1, 9_999]) })], claim)).toMatchObject({ isMet: 'no' })
  })

  it('takes CPU that could not be read as not measured, never as met', () => {
    const cases = [hop({ 'causeway-btp': { 'closed-512': [result(10, { cpuUs: Number.NaN })] } })]
    expect(found(cases, '512 in flight: CPU per packet')).toMatchObject({ isMet: 'not measured' })
  })

  it('allows one packet in flight the time of the bare relay, one flush and 0.2 ms', () => {
    const cases = (p50: number) => [
      hop({
        'causeway-btp': { 'closed-1': [result(9, { p50 })] },
        'bare-btp': { 'closed-1': [result(9, { p50: 0.1 })] },
      }),
    ]
    expect(found(cases(0.79), '1 in flight')).toMatchObject({ isMet: 'yes' })
    expect(found(cases(0.81), '1 in flight')).toMatchObject({ isMet: 'no' })
  })

  it('holds the absolute HTTP figure only against machines that it is meant for', () => {
    const cases = (ours: number, bare: number) => [
      hop({
        'causeway-http': { 'closed-512': [result(ours)] },
        'bare-http': { 'closed-512': [result(bare)] },
      }),
    ]
    const claim = 'ILP-HTTP, 512 in flight: packets/s'
    expect(found(cases(12_000, 24_000), claim)).toMatchObject({ isMet: 'yes' })
    expect(found(cases(11_000, 24_000), claim)).toMatchObject({ isMet: 'no' })
    expect(found(cases(9_000, 15_000), claim)).toMatchObject({ isMet: 'not measured' })
  })

  it('has a verdict for each growth figure of a curve', () => {
    const routes: CaseResult = {
      name: 'routes',
      title: 'Routes',
      x: { label: 'routes', values: [1, 1_000] },
      series: [],
      facts: { aCpuGrowthPercent: 15, bCpuGrowthPercent: 15.1 },
    }
    const growth = verdicts([routes]).filter(({ claim }) => claim.startsWith('more routes'))
    expect(growth.map(({ isMet }) => isMet)).toEqual(['yes', 'no'])
  })

  it('takes a memory slope below two standard errors for noise', () => {
    const memory = (slope: number): CaseResult => ({
      name: 'memory',
      title: 'Memory',
      series: [],
      facts: { slopeBytesPerMillionPackets: slope, slopeStandardErrorBytesPerMillionPackets: 100 },
    })
    expect(found([memory(200)], 'memory')).toMatchObject({ isMet: 'yes' })
    expect(found([memory(201)], 'memory')).toMatchObject({ isMet: 'no' })
  })
})

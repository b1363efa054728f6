import type { CaseResult } from '../cases/case.ts'
import { type Summary, summarize } from './summary.ts'

/** A figure held against what it should be. */
export interface Verdict {
  /** What is measured. */
  claim: string
  /** What was found; empty when it was not measured. */
  figure: string
  target: string
  isMet: 'yes' | 'no' | 'not measured'
}

/** Growth may cost so much CPU per packet from the smallest to the largest case. */
const GROWTH_PERCENT_MAX = 15
/** A slope so many standard errors above zero is no noise. */
const STANDARD_ERRORS = 2
const START_MS_MAX = 3_000
/** What a relay does on a machine for which the absolute target of ILP-HTTP is meant. Packets per second. */
const HTTP_REFERENCE = { bare: 24_000, ours: 12_000 }
/** Beyond one ledger flush, what a hop through the connector may add to one through the bare relay. Milliseconds. */
const HOP_MS = 0.2

/** Every target that the bench is to show, from medians; what this run did not measure is said to be so. */
export function verdicts(cases: readonly CaseResult[]): Verdict[] {
  return [...hopVerdicts(cases), ...growthVerdicts(cases), ...factVerdicts(cases)]
}

function hopVerdicts(cases: readonly CaseResult[]): Verdict[] {
  const rate = (key: string, window: string) => find(cases, 'hop', key, window)?.packetsPerSecond.median
  const ratio = (key: string, other: string, window: string) => divide(rate(key, window), rate(other, window))
  const ours = (window: string) => find(cases, 'hop', 'causeway-btp', window)
  return [
    atLeast(
      '512 in flight: packets/s as multiple of ilp-connector',
      ratio('causeway-btp', 'ilp-connector', 'closed-512'),
      15,
    ),
    atMost('512 in flight: CPU per packet, us', ours('closed-512')?.connectorCpuUs.median, 7),
    atLeast('512 in flight: share of the bare relay', ratio('causeway-btp', 'bare-btp', 'closed-512'), 0.4),
    atLeast(
      '512 in flight, immediately: share of the bare relay',
      ratio('causeway-btp-immediately', 'bare-btp', 'closed-512'),
      0.5,
    ),
    oneInFlight(cases),
    atLeast(
      '64 in flight: packets/s as multiple of ilp-connector',
      ratio('causeway-btp', 'ilp-connector', 'closed-64'),
      10,
    ),
    atMost('open loop at half the rate: p99, ms', ours('open-half')?.p99Ms.median, 10),
    atLeast(
      'ILP-HTTP, 512 in flight: share of the bare HTTP relay',
      ratio('causeway-http', 'bare-http', 'closed-512'),
      0.5,
    ),
    httpRate(rate('causeway-http', 'closed-512'), rate('bare-http', 'closed-512')),
    atLeast(
      'TigerBeetle ledger: share of the sqlite rate',
      ratio('causeway-btp-tigerbeetle', 'causeway-btp', 'closed-512'),
      0.4,
    ),
  ]
}

function oneInFlight(cases: readonly CaseResult[]): Verdict {
  const claim = '1 in flight: p50, ms'
  const ours = find(cases, 'hop', 'causeway-btp', 'closed-1')?.p50Ms.median
  const bare = find(cases, 'hop', 'bare-btp', 'closed-1')?.p50Ms.median
  const flush = cases.find(({ name }) => name === 'hop')?.facts?.diskFlushMs
  if (bare === undefined || typeof flush !== 'number') return atMost(claim, undefined, Number.NaN)
  const target = bare + flush + HOP_MS
  const parts = `${format(bare)} of the bare relay + ${format(flush)} of a flush + ${HOP_MS}`
  return { ...atMost(claim, ours, target), target: `<= ${format(target)} (${parts})` }
}

function httpRate(ours: number | undefined, bare: number | undefined): Verdict {
  const claim = `ILP-HTTP, 512 in flight: packets/s, where the bare relay does ${HTTP_REFERENCE.bare}`
  const verdict = atLeast(claim, ours, HTTP_REFERENCE.ours)
  if (bare === undefined || bare >= HTTP_REFERENCE.bare || verdict.isMet === 'yes') return verdict
  return {
    ...verdict,
    figure: `${verdict.figure}, but the bare relay does ${format(bare)} here`,
    isMet: 'not measured',
  }
}

/** Each curve has its growth in percent as facts of this ending, one per window or kind of traffic. */
const GROWTH_FACT = 'CpuGrowthPercent'
const GROWTH = {
  accounts: 'accounts',
  routes: 'routes',
  history: 'past transfers',
  connections: 'connections',
}

function growthVerdicts(cases: readonly CaseResult[]): Verdict[] {
  return Object.entries(GROWTH).flatMap(([name, what]) => {
    const found = cases.find((result) => result.name === name)
    const values = found?.x?.values ?? []
    const range = values.length === 0 ? '' : `, from ${values[0]} to ${values.at(-1)}`
    const claim = `more ${what}${range}: growth of CPU per packet, %`
    const facts = Object.entries(found?.facts ?? {}).filter(([key]) => key.endsWith(GROWTH_FACT))
    if (facts.length === 0) return [atMost(claim, undefined, GROWTH_PERCENT_MAX)]
    return facts.map(([key, value]) => {
      const traffic = key.slice(0, -GROWTH_FACT.length)
      return atMost(`${claim} (${traffic})`, Number(value), GROWTH_PERCENT_MAX)
    })
  })
}

function factVerdicts(cases: readonly CaseResult[]): Verdict[] {
  const fact = (name: string, key: string) => {
    const value = cases.find((result) => result.name === name)?.facts?.[key]
    return typeof value === 'number' ? value : undefined
  }
  const slope = fact('memory', 'slopeBytesPerMillionPackets')
  const noise = fact('memory', 'slopeStandardErrorBytesPerMillionPackets')
  const memory = 'memory: slope in bytes per million packets, within its noise'
  const startMs = fact('start', 'start10000000MedianMs')
  return [
    atMost(memory, slope, Math.round((noise ?? Number.NaN) * STANDARD_ERRORS)),
    atMost('start with 10,000,000 past transfers, ms', startMs, START_MS_MAX),
    atLeast('3 times overload: goodput of capacity', fact('overload', 'goodputOfCapacity'), 0.8),
    atLeast('3 times overload: least served of most served peer', fact('overload', 'fairnessMinOfMax'), 0.8),
    atLeast(
      'a flood by one peer: served of what the others ask',
      fact('overload', 'politeFulfilledOfOffered'),
      0.8,
    ),
  ]
}

/** The rounds of one window, together; undefined when the run has no such. */
function find(cases: readonly CaseResult[], name: string, key: string, window: string): Summary | undefined {
  const series = cases.find((result) => result.name === name)?.series.find((each) => each.key === key)
  const results = series?.windows.find((each) => each.name === window)?.results
  return results === undefined ? undefined : summarize(results)
}

function divide(value: number | undefined, by: number | undefined): number | undefined {
  return value === undefined || by === undefined ? undefined : value / by
}

function atLeast(claim: string, value: number | undefined, target: number): Verdict {
  return verdict(claim, value, `>= ${target}`, value !== undefined && value >= target)
}

function atMost(claim: string, value: number | undefined, target: number): Verdict {
  return verdict(claim, value, `<= ${target}`, value !== undefined && value <= target)
}

function verdict(claim: string, value: number | undefined, target: string, isMet: boolean): Verdict {
  if (value === undefined || Number.isNaN(value))
    return { claim, figure: '', target: target.replace(/ NaN$/, ' ?'), isMet: 'not measured' }
  return { claim, figure: format(value), target, isMet: isMet ? 'yes' : 'no' }
}

function format(value: number): string {
  return value >= 1_000 ? Math.round(value).toString() : value.toPrecision(3)
}

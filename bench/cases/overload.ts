import { availableParallelism } from 'node:os'
import type { Balance } from '../../test/support/node-process.ts'
import type { Window, WindowResult } from '../load/load.ts'
import { LoadHandle } from '../load/load-handle.ts'
import { canPin, pin } from '../pin.ts'
import { median } from '../report/median.ts'
import type { Series } from '../rounds.ts'
import { causeway, type RunningCauseway } from '../subjects/causeway.ts'
import type { CaseOptions, CaseResult } from './case.ts'
import { closedWindow, openWindow } from './windows.ts'

const PAYERS = 3
const AMOUNT = 1_000_000
const IN_FLIGHT_EACH = 1_000
/** Of the capacity, all payers together. */
const FACTOR = 3
/** The polite two offer so much of their fair third each, the hostile one ten times what both of them offer. */
const POLITE_SHARE = 0.5
const HOSTILE_FACTOR = 10
/** What payers of today wait for an answer; long enough that TCP alone could hold back a flood. */
const EXPIRES_IN_MS = 10_000
const BOOKS_PAGE = 100

/** One window of the case: what each payer does. */
interface Phase {
  name: string
  windows: (capacity: number) => Omit<Window, 'pids'>[]
}

/**
 * Three payers ask for three times what the connector can do: how much of its capacity is left for packets that arrive,
 * and who gets it. Each payer, with its payee, is a process of its own.
 */
export async function overloadCase({ rounds, seconds, say }: CaseOptions): Promise<CaseResult> {
  const phases = phasesOf(seconds)
  const series: Series[] = phases.map(({ name }) => ({ key: name, title: name, windows: eachPayer(name) }))
  const isPinned = canPin()
  if (!isPinned) say('connector and load share all cores: "taskset" is not there, or there is only one core')
  const found: Record<string, number[]> = {}
  for (let round = 0; round < rounds; round++) {
    const results = await onPinned(isPinned, (prepare) => runRound(phases, prepare))
    for (const [phase, byPayer] of results.entries()) {
      for (const [payer, result] of byPayer.entries()) series[phase]!.windows[payer]!.results.push(result)
    }
    for (const [name, value] of Object.entries(judge(results))) {
      found[name] ??= []
      found[name].push(value)
    }
    say(`round ${round + 1}/${rounds}: ${describe(results)}`)
  }
  return {
    name: 'overload',
    title: 'Three times the capacity',
    note: [
      `${PAYERS} payers with a payee each, every pair in a process of its own.`,
      isPinned
        ? 'The connector has one core, all of the load the others.'
        : 'Connector and load share all cores.',
      `"capacity": closed loop, ${IN_FLIGHT_EACH} in flight each, before and after the rest; the mean counts. "flood": each offers the whole capacity. "hostile": two offer ${POLITE_SHARE} of a third of it each, the third ${HOSTILE_FACTOR} times what both offer.`,
      'A payer whose socket is full loses the packet at its own end; that counts as offered and as "busy" ("unsent" beyond 65,536 in flight). Books compare, to the unit, with what the payers were paid for.',
    ].join(' '),
    series,
    facts: Object.fromEntries(
      Object.entries(found).map(([name, values]) => [name, round3(median(values).median)]),
    ),
  }
}

function phasesOf(seconds: number): Phase[] {
  const change = { expiresInMs: EXPIRES_IN_MS }
  const open = (rate: number) => openWindow('open', Math.max(1, Math.round(rate)), seconds, change).window
  const each = (window: Omit<Window, 'pids'>) => Array.from({ length: PAYERS }, () => window)
  const calm = { name: 'capacity', windows: () => each(closedWindow(IN_FLIGHT_EACH, seconds, change).window) }
  return [
    calm,
    { name: 'flood', windows: (capacity) => each(open((capacity * FACTOR) / PAYERS)) },
    {
      name: 'hostile',
      windows: (capacity) => {
        const polite = (capacity / PAYERS) * POLITE_SHARE
        return [open(polite * 2 * HOSTILE_FACTOR), open(polite), open(polite)]
      },
    },
    { ...calm, name: 'capacity-after' },
  ]
}

function eachPayer(phase: string): Series['windows'] {
  return Array.from({ length: PAYERS }, (_, payer) => ({ name: `${phase} payer ${payer}`, results: [] }))
}

/** Puts the connector on the first core and everything else on the others for as long as `work` runs. */
async function onPinned<T>(
  isPinned: boolean,
  work: (prepare: (connectorPid: number) => void) => Promise<T>,
): Promise<T> {
  if (!isPinned) return await work(() => undefined)
  const last = availableParallelism() - 1
  try {
    // Load processes inherit it.
    pin(process.pid, `1-${last}`)
    return await work((connectorPid) => pin(connectorPid, '0'))
  } finally {
    pin(process.pid, `0-${last}`)
  }
}

/** One node through all phases. Results by phase and payer. */
async function runRound(
  phases: readonly Phase[],
  prepare: (connectorPid: number) => void,
): Promise<WindowResult[][]> {
  const subject = causeway({ key: 'overload', title: 'overload' })
  const running = await subject.start({ pairs: PAYERS })
  const loads: LoadHandle[] = []
  try {
    prepare(running.node.pid)
    const { payers, payees, ...rest } = running.ends
    for (let index = 0; index < PAYERS; index++) {
      const load = new LoadHandle()
      loads.push(load)
      await load.connect({ ...rest, payers: [payers[index]!], payees: [payees[index]!] }, AMOUNT)
    }
    const results: WindowResult[][] = []
    let capacity = Number.NaN
    for (const phase of phases) {
      const windows = phase.windows(capacity)
      const runs = loads.map((load, index) => load.run({ ...windows[index]!, pids: running.pids }))
      const byPayer = await Promise.all(runs)
      if (Number.isNaN(capacity)) capacity = rateOf(byPayer)
      results.push(byPayer)
    }
    await checkBooks(running, results.at(-1)!)
    for (const load of loads) await load.disconnect()
    return results
  } finally {
    for (const load of loads) await load.stop()
    await running.stop()
  }
}

/** @throws Error unless every account holds exactly what its FULFILLs moved. */
async function checkBooks(running: RunningCauseway, byPayer: readonly WindowResult[]): Promise<void> {
  const balances = await running.node.admin<Balance[]>('GET', `/accounts?kind=clearing&limit=${BOOKS_PAGE}`)
  const balanceOf = (id: string) => BigInt(balances.find((balance) => balance.id === id)!.balance)
  for (const [index, { everFulfilledByPayer }] of byPayer.entries()) {
    const moved = BigInt(everFulfilledByPayer[0]!) * BigInt(AMOUNT)
    const paid = balanceOf(`payer${index}`)
    const earned = balanceOf(`payee${index}`)
    if (paid !== -moved || earned !== moved) {
      throw new Error(
        `the books are wrong: payer ${index} was paid for ${moved}, they say ${paid} and ${earned}`,
      )
    }
  }
}

function judge(results: readonly WindowResult[][]): Record<string, number> {
  const [before, flood, hostile, after] = results as [
    WindowResult[],
    WindowResult[],
    WindowResult[],
    WindowResult[],
  ]
  const capacity = (rateOf(before) + rateOf(after)) / 2
  const rates = flood.map(({ fulfilled, seconds }) => fulfilled / seconds)
  const polite = hostile.slice(1)
  return {
    capacityPacketsPerSecond: capacity,
    capacityAfterOfBefore: rateOf(after) / rateOf(before),
    offeredOfCapacity: offeredOf(flood) / capacity,
    goodputOfCapacity: rateOf(flood) / capacity,
    fairnessMinOfMax: Math.min(...rates) / Math.max(...rates),
    hostileOfferedOfCapacity: offeredOf(hostile) / capacity,
    hostileGoodputOfCapacity: rateOf(hostile) / capacity,
    politeFulfilledOfOffered: rateOf(polite) / offeredOf(polite),
    capacityConnectorCpuShare: cpuShare(before),
    floodConnectorCpuShare: cpuShare(flood),
  }
}

function rateOf(byPayer: readonly WindowResult[]): number {
  return byPayer.reduce((sum, { fulfilled, seconds }) => sum + fulfilled / seconds, 0)
}

function offeredOf(byPayer: readonly WindowResult[]): number {
  return byPayer.reduce((sum, { sent, seconds }) => sum + sent / seconds, 0)
}

/** Cores that the connector used; every load reads the same processes. */
function cpuShare(byPayer: readonly WindowResult[]): number {
  return byPayer[0]!.connectorCpuUs / (byPayer[0]!.seconds * 1e6)
}

function describe(results: readonly WindowResult[][]): string {
  const facts = judge(results)
  const figures = Object.entries(facts).map(([name, value]) => `${name} ${round3(value)}`)
  const failed = results.slice(1).map((byPayer) => JSON.stringify(byPayer.map((result) => result.failed)))
  return [...figures, ...failed].join(', ')
}

function round3(value: number): number {
  return Math.round(value * 1_000) / 1_000
}

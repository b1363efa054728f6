import type { Window, WindowResult } from './load/load.ts'
import { LoadHandle } from './load/load-handle.ts'
import type { RunningSubject, Subject } from './subjects/subject.ts'

/** A subject and what it is asked to carry, in each round of its own. */
export interface Contestant {
  /** Short and stable, unique in its case: the key in the JSON. */
  key: string
  title: string
  subject: Subject
  pairs: number
  /** Run one after the other on one fresh subject. */
  windows: { name: string; window: Omit<Window, 'pids'> }[]
}

/** What a contestant did: one result per round for each of its windows. */
export interface Series {
  key: string
  title: string
  windows: { name: string; results: WindowResult[] }[]
}

/** Packets of all contestants carry this amount: large enough that a rate and a spread leave something. */
const AMOUNT = 1_000_000

/**
 * Interleaved rounds, A B C then B C A then C A B, so that a drift of the machine falls on all alike. Each turn starts
 * its subject afresh, with a load process of its own.
 *
 * @throws Error when a contestant does not start, carries nothing, or ends early, and when its load does: a gap is never
 *   papered over. The message has the name of the contestant and the end of its output.
 */
export async function runRounds(
  contestants: readonly Contestant[],
  options: { rounds: number; say(line: string): void },
): Promise<Series[]> {
  const series = contestants.map(({ key, title, windows }) => ({
    key,
    title,
    windows: windows.map(({ name }) => ({ name, results: [] as WindowResult[] })),
  }))
  for (let round = 0; round < options.rounds; round++) {
    for (let turn = 0; turn < contestants.length; turn++) {
      const index = (turn + round) % contestants.length
      const contestant = contestants[index]!
      const tell = (line: string) =>
        options.say(`round ${round + 1}/${options.rounds} ${contestant.key}: ${line}`)
      const results = await runTurn(contestant, tell)
      for (const [window, result] of results.entries()) series[index]!.windows[window]!.results.push(result)
    }
  }
  return series
}

async function runTurn(contestant: Contestant, tell: (line: string) => void): Promise<WindowResult[]> {
  const { key, subject, pairs, windows } = contestant
  let running: RunningSubject | undefined
  let load: LoadHandle | undefined
  try {
    running = await subject.start({ pairs })
    load = new LoadHandle()
    await load.connect(running.ends, AMOUNT)
    const results: WindowResult[] = []
    for (const { name, window } of windows) {
      const result = await load.run({ ...window, pids: running.pids })
      checkAlive(running.pids)
      if (result.fulfilled === 0) throw new Error(`no packet was fulfilled: ${JSON.stringify(result.failed)}`)
      tell(`${name}: ${describe(result)}`)
      results.push(result)
    }
    await load.disconnect()
    if (load.output !== '') tell(`the load said:\n${load.output.trimEnd()}`)
    return results
  } catch (error) {
    const outputs = [load?.output, running?.output?.()].filter(
      (output) => output !== undefined && output !== '',
    )
    throw new Error([`${key}: ${(error as Error).message}`, ...outputs].join('\n'), { cause: error })
  } finally {
    await load?.stop()
    await running?.stop()
  }
}

function checkAlive(pids: readonly number[]): void {
  for (const pid of pids) {
    try {
      process.kill(pid, 0)
    } catch {
      throw new Error(`its process ${pid} has ended`)
    }
  }
}

function describe({ fulfilled, seconds, latencyMs, connectorCpuUs, failed }: WindowResult): string {
  const failures = Object.entries(failed).map(([kind, count]) => `${count} x ${kind}`)
  return [
    `${Math.round(fulfilled / seconds)} packets/s`,
    `${(connectorCpuUs / fulfilled).toFixed(2)} us CPU each`,
    `p50 ${latencyMs.p50.toFixed(2)} ms`,
    `p99 ${latencyMs.p99.toFixed(2)} ms`,
    ...failures,
  ].join(', ')
}

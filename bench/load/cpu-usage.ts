import { readdirSync, readFileSync } from 'node:fs'

/** `/proc/<pid>/stat` counts CPU time in hundredths of a second. */
const TICK_US = 10_000
const NS_PER_US = 1_000

/** CPU time of a process at one moment. */
interface Reading {
  /** Nanoseconds of each thread that lives. */
  threadsNs: Map<string, number>
  /** Of all threads, those included that have ended: exact, but in whole ticks. */
  ticksUs: number
}

/**
 * CPU time that processes with all their threads burn, from the moment of its making. Where the machine has no `/proc`
 * (macOS) every figure is NaN.
 */
export class CpuUsage {
  readonly #before: Map<number, Reading | undefined>

  constructor(pids: readonly number[]) {
    this.#before = new Map(pids.map((pid) => [pid, read(pid)]))
  }

  /** Microseconds since the start, of all processes. NaN when one of them is gone or cannot be read. */
  elapsedUs(): number {
    let sumUs = 0
    for (const [pid, before] of this.#before) sumUs += elapsedUs(before, read(pid))
    return sumUs
  }
}

/** Resident memory of processes, all together. NaN when one of them is gone or cannot be read. */
export function residentBytes(pids: readonly number[]): number {
  let bytes = 0
  for (const pid of pids) {
    const kilobytes = readText(`/proc/${pid}/status`)?.match(/^VmRSS:\s+(\d+) kB$/m)?.[1]
    bytes += kilobytes === undefined ? Number.NaN : Number(kilobytes) * 1_024
  }
  return bytes
}

/** Whether CPU time and memory of other processes can be read on this machine. */
export function canReadProcesses(): boolean {
  return read(process.pid) !== undefined
}

function elapsedUs(before: Reading | undefined, after: Reading | undefined): number {
  if (before === undefined || after === undefined) return Number.NaN
  let ns = 0
  for (const [thread, valueNs] of after.threadsNs) ns += valueNs - (before.threadsNs.get(thread) ?? 0)
  // What a thread burnt since the last reading ended with it: only the counter of the whole process has it.
  const isEveryThreadAlive = [...before.threadsNs.keys()].every((thread) => after.threadsNs.has(thread))
  return isEveryThreadAlive && ns > 0 ? ns / NS_PER_US : after.ticksUs - before.ticksUs
}

function read(pid: number): Reading | undefined {
  const stat = readText(`/proc/${pid}/stat`)
  if (stat === undefined) return undefined
  // The name of the program, in brackets, may hold spaces.
  const fields = stat.slice(stat.lastIndexOf(') ') + 2).split(' ')
  const threadsNs = new Map<string, number>()
  for (const thread of threadsOf(pid)) {
    const schedstat = readText(`/proc/${pid}/task/${thread}/schedstat`)
    if (schedstat !== undefined) threadsNs.set(thread, Number(schedstat.split(' ')[0]))
  }
  return { threadsNs, ticksUs: (Number(fields[11]) + Number(fields[12])) * TICK_US }
}

function threadsOf(pid: number): string[] {
  try {
    return readdirSync(`/proc/${pid}/task`)
  } catch {
    return []
  }
}

/** Undefined when the process or thread has ended, or there is no `/proc`. */
function readText(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return undefined
  }
}

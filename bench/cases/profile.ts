import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import type { Window, WindowResult } from '../load/load.ts'
import { LoadHandle } from '../load/load-handle.ts'
import { STAGES } from '../profile/stages.ts'
import { type CpuProfile, type ProfileSummary, summarizeProfile } from '../profile/summarize-profile.ts'
import { align } from '../report/table.ts'
import { causeway } from '../subjects/causeway.ts'
import { withTemporaryDirectory } from '../temporary-directory.ts'
import type { CaseOptions, CaseResult } from './case.ts'
import { closedWindow } from './windows.ts'

const AMOUNT = 1_000_000
const SAMPLING_US = 200
/** Enough samples that one percent is no chance. */
const SECONDS_MIN = 4

/** Where the time goes: a sampled CPU profile of both threads of the connector, own time summed up by stage. */
export async function profileCase({ seconds, say }: CaseOptions): Promise<CaseResult> {
  return await withTemporaryDirectory(async (directory) => {
    const flags = `--cpu-prof --cpu-prof-dir=${directory} --cpu-prof-interval=${SAMPLING_US}`
    const title = 'Where the time goes'
    const subject = causeway({ key: 'profile', title, env: { NODE_OPTIONS: flags } })
    const running = await subject.start({ pairs: 1 })
    const load = new LoadHandle()
    try {
      await load.connect(running.ends, AMOUNT)
      const { name, window } = closedWindow(512, Math.max(seconds, SECONDS_MIN))
      const startedAtUs = Number(process.hrtime.bigint()) / 1_000
      const mainThread = threadCpu(running.node.pid, window)
      const result = await load.run({ ...window, pids: running.pids })
      await load.disconnect()
      running.node.signal('SIGTERM')
      await running.node.ended()
      const fromUs = startedAtUs + window.warmUpMs * 1_000
      const threads = readProfiles(directory, { fromUs, toUs: fromUs + window.measureMs * 1_000 })
      const facts = factsOf(threads, result, await mainThread)
      say(`\n${tableOf(facts, threads)}`)
      return {
        name: 'profile',
        title,
        note: `One pair, 512 in flight, sampled every ${SAMPLING_US} microseconds; the profiler itself costs time, so that the figures are shares rather than prices. Own time of functions in microseconds per packet, by what they are for; native code counts for its caller. The profiler takes reading from sockets for idleness: that stage is the CPU time of the main thread that no sample has. Samples are of time, not of CPU: on a busy machine they hold waits.`,
        series: [{ key: 'profile', title, windows: [{ name, results: [result] }] }],
        facts,
      }
    } finally {
      await load.stop()
      await running.stop()
    }
  })
}

interface Threads {
  main: ProfileSummary
  worker: ProfileSummary
}

/** @param spanUs on the clock of `process.hrtime`, which profiles use too */
function readProfiles(directory: string, spanUs: { fromUs: number; toUs: number }): Threads {
  const summaries = readdirSync(directory)
    .filter((file) => file.endsWith('.cpuprofile'))
    .map((file) => {
      const profile = JSON.parse(readFileSync(join(directory, file), 'utf8')) as CpuProfile
      const span = { fromUs: spanUs.fromUs - profile.startTime, toUs: spanUs.toUs - profile.startTime }
      const isWorker = profile.nodes.some(({ callFrame }) => callFrame.url.endsWith('sqlite-worker.ts'))
      return { isWorker, summary: summarizeProfile(profile, { isWorker, span }) }
    })
  const main = summaries.find(({ isWorker }) => !isWorker)?.summary
  const worker = summaries.find(({ isWorker }) => isWorker)?.summary
  if (main === undefined || worker === undefined) {
    throw new Error('the connector left no profiles of its two threads')
  }
  return { main, worker }
}

/** CPU time of the main thread of a process in the measurement of a window that begins now. Microseconds. */
async function threadCpu(pid: number, { warmUpMs, measureMs }: Omit<Window, 'pids'>): Promise<number> {
  const read = () => {
    try {
      return Number(readFileSync(`/proc/${pid}/task/${pid}/schedstat`, 'utf8').split(' ')[0]) / 1_000
    } catch {
      return Number.NaN
    }
  }
  await delay(warmUpMs)
  const before = read()
  await delay(measureMs)
  return read() - before
}

/** Microseconds per packet of each stage, both threads together, and of each thread. */
function factsOf(
  { main, worker }: Threads,
  { fulfilled, connectorCpuUs }: WindowResult,
  mainCpuUs: number,
): Record<string, number> {
  const perPacket = (us: number) => Math.round((us / fulfilled) * 1_000) / 1_000
  const stages = STAGES.map((stage) => {
    return [stage, perPacket(main.stagesUs.get(stage)! + worker.stagesUs.get(stage)!)] as const
  })
  return {
    'sockets: reads in the kernel': perPacket(Math.max(0, mainCpuUs - main.busyUs)),
    ...Object.fromEntries(stages),
    mainThreadCpuUs: perPacket(mainCpuUs),
    otherThreadsCpuUs: perPacket(connectorCpuUs - mainCpuUs),
    mainThreadSampledUs: perPacket(main.busyUs),
    ledgerWorkerSampledUs: perPacket(worker.busyUs),
    mainThreadIdleShare: Math.round((main.idleUs / (main.idleUs + main.busyUs)) * 1_000) / 1_000,
  }
}

function tableOf(facts: Record<string, number>, threads: Threads): string {
  const stages = align([
    ['stage', 'us per packet'],
    ...Object.entries(facts).map(([name, us]) => [name, us.toFixed(3)]),
  ])
  const tops = Object.entries(threads).flatMap(([thread, { top, busyUs }]: [string, ProfileSummary]) => [
    `most of the ${thread} thread:`,
    ...align(top.map(({ name, us }) => [`  ${name}`, `${((us / busyUs) * 100).toFixed(1)} %`])),
  ])
  return [...stages, ...tops].join('\n')
}

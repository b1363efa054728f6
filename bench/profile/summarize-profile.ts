import { type CallFrame, STAGES, type Stage, stageOf } from './stages.ts'

/** What `--cpu-prof` writes, as far as it is used. */
export interface CpuProfile {
  nodes: { id: number; callFrame: CallFrame; children?: number[] }[]
  /** Node at the top of the stack at each moment. */
  samples: number[]
  /** Microseconds before each sample. */
  timeDeltas: number[]
  /** Microseconds on the profile's own clock. */
  startTime: number
}

export interface ProfileSummary {
  /** Microseconds of own time in each stage. */
  stagesUs: Map<Stage, number>
  busyUs: number
  idleUs: number
  /** The functions that took most, own time in microseconds, most first. */
  top: { name: string; us: number }[]
}

const TOP_COUNT = 15

/**
 * Sums up the own time of a thread by stage.
 * @param span microseconds after the start of the profile; only samples within count
 */
export function summarizeProfile(
  profile: CpuProfile,
  { isWorker, span }: { isWorker: boolean; span: { fromUs: number; toUs: number } },
): ProfileSummary {
  const frames = framesById(profile)
  const stagesUs = new Map<Stage, number>(STAGES.map((stage) => [stage, 0]))
  const functions = new Map<string, number>()
  let atUs = 0
  let idleUs = 0
  let busyUs = 0
  profile.samples.forEach((id, index) => {
    const us = profile.timeDeltas[index]!
    atUs += us
    if (atUs < span.fromUs || atUs >= span.toUs) return
    const frame = frames.get(id)!
    const stage = stageOf(frame, isWorker)
    if (stage === 'idle') {
      idleUs += us
      return
    }
    busyUs += us
    stagesUs.set(stage, stagesUs.get(stage)! + us)
    const name = `${frame.functionName || '(anonymous)'} ${frame.url.split('/').slice(-2).join('/')}`.trim()
    functions.set(name, (functions.get(name) ?? 0) + us)
  })
  const top = [...functions].sort((a, b) => b[1] - a[1]).slice(0, TOP_COUNT)
  return { stagesUs, busyUs, idleUs, top: top.map(([name, us]) => ({ name, us })) }
}

/** Frames by node. A native function or one of Node's buffers, such as a copy, counts for the one that calls it. */
function framesById(profile: CpuProfile): Map<number, CallFrame> {
  const frames = new Map<number, CallFrame>()
  const byId = new Map(profile.nodes.map((node) => [node.id, node]))
  const visit = (id: number, caller: CallFrame): void => {
    const { callFrame, children = [] } = byId.get(id)!
    const isNative = callFrame.url === '' && !callFrame.functionName.startsWith('(')
    const isHelper = isNative || callFrame.url === 'node:buffer' || callFrame.url === 'node:internal/buffer'
    const frame = isHelper && caller.url !== '' ? caller : callFrame
    frames.set(id, frame)
    for (const child of children) visit(child, frame)
  }
  const root = profile.nodes[0]
  if (root !== undefined) visit(root.id, root.callFrame)
  return frames
}

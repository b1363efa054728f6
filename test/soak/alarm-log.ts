import { SETTLEMENT_ALARMS } from '../../src/settlement/settlement-alarms.ts'
import type { ActionName } from './chaos-action.ts'
import type { ProblemLog } from './problem-log.ts'

/** What of all that a run does may raise an alarm. An alarm that is not here never has a cause. */
const CAUSES: Readonly<Record<string, readonly ActionName[]>> = {
  'peer-closing': ['close'],
  'close-failed': ['close'],
  'claim-failed': ['close'],
  'deposit-failed': ['close'],
  'fee-limit': ['fee-spike'],
  'would-revert': ['close', 'fault', 'lag'],
  'unexplained-nonce': ['fault', 'lag', 'reorg'],
  'nonce-gap': ['lag', 'reorg'],
  rejected: ['fault', 'lag', 'reorg'],
  'stale-head': ['fault', 'lag'],
  'rounds-fail': ['fault', 'lag'],
  budget: ['open', 'top-up'],
}
/** Alarms for which two things must have come together. */
const JOINT_CAUSES: Readonly<Record<string, readonly (readonly [ActionName, ActionName])[]>> = {
  // A node that has just started cannot know yet that its RPC node lags.
  'deposit-gone': [
    ['lag', 'kill'],
    ['lag', 'kill-all'],
  ],
}
const COORDINATOR_PREFIX = 'alarm: '
const ENGINE_ALARM = 'evm engine alarm'
/** A line that does not end within it is no log line. */
const LINE_CHARS_MAX = 100_000

interface LogLine {
  readonly level?: string
  readonly message?: string
  readonly code?: string
}

/** Reads what the nodes write, and takes each alarm for a problem for which there is no cause. */
export class AlarmLog {
  /** Alarms that had a cause, by code. */
  readonly counts = new Map<string, number>()
  readonly #problems: ProblemLog
  readonly #isDone: (action: ActionName) => boolean
  readonly #tails = new Map<string, string>()

  /** @param isDone whether the run has done that already */
  constructor(problems: ProblemLog, isDone: (action: ActionName) => boolean) {
    this.#problems = problems
    this.#isDone = isDone
  }

  /** The next piece of a node's output. */
  read(node: string, chunk: string): void {
    const lines = ((this.#tails.get(node) ?? '') + chunk).split('\n')
    this.#tails.set(node, lines.pop()!.slice(-LINE_CHARS_MAX))
    for (const line of lines) if (line.startsWith('{')) this.#readLine(node, line)
  }

  #readLine(node: string, line: string): void {
    const parsed = parse(line)
    if (parsed?.level !== 'error') return
    const alarm = alarmOf(parsed)
    if (alarm === undefined) return
    const single = CAUSES[alarm] ?? []
    const joint = JOINT_CAUSES[alarm] ?? []
    const hasCause =
      single.some((action) => this.#isDone(action)) ||
      joint.some((actions) => actions.every((action) => this.#isDone(action)))
    if (hasCause) {
      this.counts.set(alarm, (this.counts.get(alarm) ?? 0) + 1)
    } else this.#problems.add(`node ${node} raised the alarm ${alarm} without a cause: ${line}`)
  }
}

/** A process that is killed may leave half a line. */
function parse(line: string): LogLine | undefined {
  try {
    return JSON.parse(line) as LogLine
  } catch {
    return undefined
  }
}

function alarmOf({ code, message = '' }: LogLine): string | undefined {
  if (message === ENGINE_ALARM) return code
  if (!message.startsWith(COORDINATOR_PREFIX)) return undefined
  const text = message.slice(COORDINATOR_PREFIX.length)
  return Object.entries(SETTLEMENT_ALARMS).find(([, meaning]) => meaning === text)?.[0] ?? text
}

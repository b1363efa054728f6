import { setTimeout as delay } from 'node:timers/promises'
import type { ActionName, ChaosAction, ChaosDeps } from './chaos-action.ts'
import { NETWORK_TROUBLE } from './network-trouble.ts'
import { NODE_KILLS } from './node-kills.ts'
import { OPERATOR_VERBS } from './operator-verbs.ts'

const ACTIONS: readonly ChaosAction[] = [...NODE_KILLS, ...NETWORK_TROUBLE, ...OPERATOR_VERBS]
const WEIGHT_SUM = ACTIONS.reduce((sum, { weight }) => sum + weight, 0)
const PAUSE_MS = { min: 150, span: 500 }
/** Refusals of the admin API by which it keeps its promises, whatever happens around it. */
const FAIR_REFUSALS = ['CONFLICT', 'VALIDATION_ERROR', 'RESOURCE_NOT_FOUND', 'SERVICE_UNAVAILABLE']
/** It says so because it cannot know: nodes are killed and their networks hang. */
const UNKNOWN_OUTCOME = 'OUTCOME_UNKNOWN'

/** Lets things happen at random moments, several at a time. */
export class Chaos {
  /** How often each thing was done. */
  readonly counts = new Map<ActionName, number>()
  /** Verbs that were refused for a good reason, or whose node was away. */
  refused = 0
  readonly #deps: ChaosDeps
  readonly #running = new Set<Promise<void>>()

  constructor(deps: ChaosDeps) {
    this.#deps = deps
  }

  /** Ends when all that it began has ended: each thing has a deadline of its own. */
  async run(forMs: number): Promise<void> {
    const { random, scene } = this.#deps
    const deadline = Date.now() + forMs
    while (Date.now() < deadline) {
      await delay(PAUSE_MS.min + random.below(PAUSE_MS.span))
      this.#begin(this.#pick())
      for (const { proxies } of scene.nodes) for (const proxy of proxies) proxy.seen.length = 0
    }
    await Promise.all(this.#running)
  }

  /** Something of the kind was done; also for what happens outside of `run`. */
  note(name: ActionName): void {
    this.counts.set(name, (this.counts.get(name) ?? 0) + 1)
  }

  #pick(): ChaosAction {
    let at = this.#deps.random.below(WEIGHT_SUM)
    return ACTIONS.find(({ weight }) => {
      at -= weight
      return at < 0
    })!
  }

  #begin(action: ChaosAction): void {
    this.note(action.name)
    const work = action.prepare(this.#deps)
    const running = work()
      .catch((error: Error) => this.#judge(action.name, error))
      .finally(() => this.#running.delete(running))
    this.#running.add(running)
  }

  #judge(name: ActionName, error: Error): void {
    const code = /"code":"([A-Z_]+)"/.exec(error.message)?.[1]
    // Without an answer: the node went away under the request.
    if (code === undefined ? error instanceof TypeError : isFair(code)) this.refused++
    else this.#deps.problems.add(`${name} failed`, error)
  }
}

function isFair(code: string): boolean {
  return FAIR_REFUSALS.includes(code) || code === UNKNOWN_OUTCOME
}

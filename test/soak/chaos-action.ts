import type { SeededRandom } from '../compliance/seeded-random.ts'
import type { ProblemLog } from './problem-log.ts'
import type { SoakScene } from './soak-scene.ts'

export type ActionName =
  | 'kill'
  | 'kill-all'
  | 'fault'
  | 'lag'
  | 'reorg'
  | 'fee-spike'
  | 'time-jump'
  | 'settle-now'
  | 'pause'
  | 'claim'
  | 'top-up'
  | 'open'
  | 'close'
  | 'reconcile'
  | 'reload'

export interface ChaosDeps {
  readonly scene: SoakScene
  readonly problems: ProblemLog
  readonly random: SeededRandom
}

/** Something that happens to the nodes, now and then. */
export interface ChaosAction {
  readonly name: ActionName
  /** How often, beside the others. */
  readonly weight: number
  /** Draws at once all that is to be drawn, so that a seed repeats the choices; what it returns does the work. */
  prepare(deps: ChaosDeps): () => Promise<void>
}

import { setFlagsFromString } from 'node:v8'

/** Shares of the room that the heap may still grow by, in percent, at which a full collection begins and must begin. */
const SOFT_TRIGGER_PERCENT = 80
const HARD_TRIGGER_PERCENT = 95

/**
 * Lets a full garbage collection begin when the heap has grown, and not earlier. V8's own rule begins one whenever the
 * heap has less room left than its young generation is large. Ours is small, so that once in a few starts the rule
 * always held: the node then marked its whole heap several times a second, at a third of its CPU time.
 */
export function collectGarbageWhenGrown(): void {
  setFlagsFromString(`--incremental-marking-soft-trigger=${SOFT_TRIGGER_PERCENT}`)
  setFlagsFromString(`--incremental-marking-hard-trigger=${HARD_TRIGGER_PERCENT}`)
}

import { setTimeout as delay, setImmediate as nextTurn } from 'node:timers/promises'

const TURNS_BEFORE_DELAY = 20

/** Resolves once `condition` holds; rejects, naming `what`, when it does not within `timeoutMs`. */
export async function waitFor(what: string, condition: () => boolean, timeoutMs = 10_000): Promise<void> {
  const giveUpAt = performance.now() + timeoutMs
  for (let turn = 0; !condition(); turn++) {
    if (performance.now() > giveUpAt) throw new Error(`waited ${timeoutMs} ms in vain for ${what}`)
    if (turn < TURNS_BEFORE_DELAY) await nextTurn()
    else await delay(1)
  }
}

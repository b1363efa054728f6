/** A connection that lasted so long was sound: the next failure starts from the shortest wait again. Milliseconds. */
export const STABLE_MS = 60_000
/** Doublings after which the wait no longer grows; keeps the power of two finite. */
const DOUBLINGS_MAX = 30

/**
 * How long to wait before the next attempt, milliseconds: doubled with every failure up to `msMax`, then a random
 * half of it taken off, so that the clients of a node that restarts do not come back in step.
 */
export function reconnectDelay(
  failures: number,
  { msMin, msMax }: { msMin: number; msMax: number },
  random: () => number,
): number {
  const full = Math.min(msMax, msMin * 2 ** Math.min(failures, DOUBLINGS_MAX))
  return Math.round(full * (0.5 + random() / 2))
}

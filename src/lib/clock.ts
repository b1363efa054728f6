/** Where the node reads the time, so that tests can set it. */
export interface Clock {
  /** Wall clock, whole milliseconds since the Unix epoch (UTC). */
  now(): number
}

export const systemClock: Clock = { now: () => Date.now() }

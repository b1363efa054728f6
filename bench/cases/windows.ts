import type { Pace, Window } from '../load/load.ts'

/** Traffic before a measurement: enough for the code to be compiled and the buffers to have their size. */
const WARM_UP_MS_MIN = 1_000
const WARM_UP_MS_MAX = 2_000
/** Open loops run on a subject of their own that has carried nothing yet. */
const OPEN_WARM_UP_FACTOR = 3
/** Typical of a STREAM packet. */
const DATA_BYTES = 256
const EXPIRES_IN_MS = 30_000

/** A window of a contestant, named. */
export interface NamedWindow {
  name: string
  window: Omit<Window, 'pids'>
}

/** So many packets in flight over all payers together. */
export function closedWindow(
  inFlight: number,
  seconds: number,
  change: Partial<Omit<Window, 'pids' | 'pace'>> = {},
): NamedWindow {
  return { name: `closed-${inFlight}`, window: windowOf({ kind: 'closed', inFlight }, seconds, change) }
}

/** So many packets a second over all payers together, answered or not. */
export function openWindow(
  name: string,
  packetsPerSecond: number,
  seconds: number,
  change: Partial<Omit<Window, 'pids' | 'pace'>> = {},
): NamedWindow {
  const window = windowOf({ kind: 'open', packetsPerSecond }, seconds, change)
  return { name, window: { ...window, warmUpMs: window.warmUpMs * OPEN_WARM_UP_FACTOR } }
}

function windowOf(
  pace: Pace,
  seconds: number,
  change: Partial<Omit<Window, 'pids' | 'pace'>>,
): Omit<Window, 'pids'> {
  return {
    pace,
    warmUpMs: Math.max(WARM_UP_MS_MIN, Math.min(WARM_UP_MS_MAX, seconds * 500)),
    measureMs: seconds * 1_000,
    dataBytes: DATA_BYTES,
    expiresInMs: EXPIRES_IN_MS,
    ...change,
  }
}

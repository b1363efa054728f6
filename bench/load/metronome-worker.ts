import { parentPort, workerData } from 'node:worker_threads'
import type { MetronomeCells } from './metronome.ts'

const { cells, periodMs } = workerData as { cells: MetronomeCells; periodMs: number }
const [STOPPED, WAITING] = [0, 1]

while (Atomics.load(cells, STOPPED) === 0) {
  Atomics.wait(cells, STOPPED, 0, periodMs)
  // One beat at a time: a listener that is busy gets the next one when it is not.
  if (Atomics.exchange(cells, WAITING, 1) === 0) parentPort!.postMessage(undefined)
}

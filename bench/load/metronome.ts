import { Worker } from 'node:worker_threads'

/**
 * Timers of the event loop come up to two milliseconds late, which would be all that one sees of a fast connector. So long
 * may a packet wait that was due; shorter beats would take cores away from the connector.
 */
const PERIOD_MS = 0.5

/** Shared with the worker: whether to stop, and whether a beat waits to be heard. */
export type MetronomeCells = Int32Array<SharedArrayBuffer>

/** Calls back about every half millisecond, without this thread spinning for it: a thread of its own sleeps. */
export class Metronome {
  readonly #cells: MetronomeCells = new Int32Array(new SharedArrayBuffer(8))
  readonly #worker: Worker

  constructor(beat: () => void) {
    this.#worker = new Worker(new URL('./metronome-worker.ts', import.meta.url), {
      workerData: { cells: this.#cells, periodMs: PERIOD_MS },
    })
    this.#worker.on('message', () => {
      Atomics.store(this.#cells, 1, 0)
      beat()
    })
  }

  async stop(): Promise<void> {
    Atomics.store(this.#cells, 0, 1)
    Atomics.notify(this.#cells, 0)
    await this.#worker.terminate()
  }
}

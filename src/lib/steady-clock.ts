import type { Clock } from './clock.ts'

/**
 * A clock that never goes back and still goes on: when the wall clock is set back, it keeps the distance from then on.
 * What is due some time after something else would otherwise wait for as long as the wall clock was wrong.
 */
export class SteadyClock implements Clock {
  readonly #wall: Clock
  #last: number
  #ahead: number

  /** @param floorMs the latest time that is in the books: it has passed */
  constructor(options: { floorMs: number }, deps: { clock: Clock }) {
    this.#wall = deps.clock
    this.#last = options.floorMs
    this.#ahead = 0
  }

  now(): number {
    const wall = this.#wall.now()
    if (wall + this.#ahead < this.#last) this.#ahead = this.#last - wall
    this.#last = wall + this.#ahead
    return this.#last
  }
}

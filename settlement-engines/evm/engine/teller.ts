import { within } from '../../../src/lib/within.ts'
import type { EngineHost } from '../../../src/settlement/engine.ts'
import type { EngineCore } from './engine-core.ts'

/** Told in one round; the next round goes on. */
const BATCH_MAX = 100
/** What the node does with it is a write of its own; later it is told again. */
const HOST_DEADLINE_MS = 10_000

/** Tells the node what came in and what became of orders, until it has taken note. */
export class Teller {
  readonly #core: EngineCore
  readonly #host: EngineHost

  constructor(core: EngineCore, deps: { host: EngineHost }) {
    this.#core = core
    this.#host = deps.host
  }

  async tell(): Promise<void> {
    const { checkpoint, credits, orders } = this.#core
    // In order: what the node knows of a channel's credits is then always their beginning, and its sum tells the rest.
    const stuck = new Set<string>()
    for (const credit of credits.untold(BATCH_MAX)) {
      const name = credit.id.split(':', 3).join(':')
      if (stuck.has(name)) continue
      const isTold = await this.#try(credit.id, async () => {
        await inTime(this.#host.credit(credit))
        checkpoint('credit-told')
        credits.setTold(credit)
      })
      if (!isTold) stuck.add(name)
    }
    for (const { id, reason, state } of orders.untold(BATCH_MAX)) {
      await this.#try(id, async () => {
        if (state === 'settled') await inTime(this.#host.settled(id))
        else await inTime(this.#host.refused(id, reason ?? 'refused'))
        checkpoint('end-told')
        orders.setTold(id)
      })
    }
  }

  /** What one account's node cannot take must not keep the others from being told. */
  async #try(id: string, tell: () => Promise<void>): Promise<boolean> {
    try {
      await tell()
      return true
    } catch (error) {
      this.#core.logger.warn('the node did not take note', { id, reason: String(error) })
      return false
    }
  }
}

async function inTime(telling: Promise<void>): Promise<void> {
  await within(telling, HOST_DEADLINE_MS, () => new Error('the node did not answer in time'))
}

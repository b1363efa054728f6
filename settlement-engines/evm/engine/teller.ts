import { within } from '../../../src/lib/within.ts'
import type { EngineHost, IncomingCredit } from '../../../src/settlement/engine.ts'
import type { EngineCore } from './engine-core.ts'
import { SilentNodeError } from './silent-node-error.ts'

/** Told in one round; the next round goes on. */
const BATCH_MAX = 100
/** Credits of one account that the node does not take, tried in one round. */
const FAILURES_MAX = 16
/** Credits passed over in one round, in search of others that the node does take. */
const PASSED_OVER_MAX = 10_000
/** What the node does with it is a write of its own; later it is told again. */
const HOST_DEADLINE_MS = 10_000

export interface TellerDeps {
  readonly host: EngineHost
  /** Makes sure that the credit is one which the node does not have already; rejects when nobody can tell now. */
  readonly check: (credit: IncomingCredit) => Promise<void>
}

/** Tells the node what came in and what became of orders, until it has taken note. */
export class Teller {
  readonly #core: EngineCore
  readonly #host: EngineHost
  readonly #check: TellerDeps['check']

  constructor(core: EngineCore, deps: TellerDeps) {
    this.#core = core
    this.#host = deps.host
    this.#check = deps.check
  }

  /** @throws Error when the node does not answer */
  async tell(): Promise<void> {
    const { checkpoint, orders } = this.#core
    await this.#tellCredits()
    for (const { id, reason, state } of orders.untold(BATCH_MAX)) {
      await this.#try(id, async () => {
        if (state === 'settled') await inTime(this.#host.settled(id))
        else await inTime(this.#host.refused(id, reason ?? 'refused'))
        checkpoint('end-told')
        orders.setTold(id)
      })
    }
  }

  /** What the node does not take of one account must not keep those of others from being told, however many it is. */
  async #tellCredits(): Promise<void> {
    const { checkpoint, credits } = this.#core
    // In order: what the node knows of a channel's credits is then always their beginning, and its sum tells the rest.
    const stuck = new Set<string>()
    const failures = new Map<string | undefined, number>()
    let told = 0
    for (let passedOver = 0; told < BATCH_MAX && passedOver < PASSED_OVER_MAX; ) {
      const page = credits.untold(BATCH_MAX, passedOver)
      for (const credit of page) {
        const name = nameOf(credit)
        const failed = failures.get(credit.accountId) ?? 0
        const isTold =
          !stuck.has(name) &&
          failed < FAILURES_MAX &&
          (await this.#try(credit.id, async () => {
            await this.#check(credit)
            // The check may have found that the node has all of it, or part.
            const left = credits.findUntold(credit.id)
            if (left === undefined) return
            await inTime(this.#host.credit(left))
            checkpoint('credit-told')
            credits.setTold(left)
          }))
        if (isTold) {
          told++
          continue
        }
        passedOver++
        if (!stuck.has(name)) failures.set(credit.accountId, failed + 1)
        stuck.add(name)
      }
      if (page.length < BATCH_MAX) return
    }
  }

  async #try(id: string, tell: () => Promise<void>): Promise<boolean> {
    try {
      await tell()
      return true
    } catch (error) {
      if (error instanceof SilentNodeError) throw error
      this.#core.logger.warn('the node did not take note', { id, reason: String(error) })
      return false
    }
  }
}

/** Of the channel or transaction that it is from. */
function nameOf({ id }: IncomingCredit): string {
  return id.split(':', 3).join(':')
}

async function inTime(telling: Promise<void>): Promise<void> {
  await within(telling, HOST_DEADLINE_MS, () => new SilentNodeError('the node did not answer in time'))
}

import { expect, it } from 'vitest'
import type { LedgerTest } from './ledger-harness.ts'
import { LedgerModelRun } from './ledger-model-run.ts'
import { SeededRandom } from './seeded-random.ts'

const OPERATIONS = 400

/** Random operations against a plain model of the books. */
export function randomCases(test: LedgerTest): void {
  it('agrees with the model after any operations', async () => {
    await run(false)
  })

  it('agrees with the model after any operations and restarts', async () => {
    await run(true)
  })

  async function run(restarts: boolean): Promise<void> {
    const random = new SeededRandom(Number(process.env.LEDGER_SEED ?? Date.now() & 0xffffffff))
    const model = new LedgerModelRun(test, random)
    try {
      await model.openAccounts()
      for (let i = 0; i < OPERATIONS; i++) {
        await model.step()
        if (i % 50 === 49) await model.compare()
        if (restarts && i % 130 === 129) await model.restart()
      }
      await model.finish()
    } catch (error) {
      expect.fail(
        `seed ${random.seed} (LEDGER_SEED repeats it): ${(error as Error).message}\n${model.tail()}`,
      )
    }
  }
}

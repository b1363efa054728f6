import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { LedgerAccount } from '../../../src/ledger/ledger.ts'
import { sumQuantities } from '../../../src/settlement/journal-sums.ts'
import { addQuantities, convertQuantity } from '../../../src/settlement/quantity.ts'
import type { SettlementTerms } from '../../../src/settlement/settlement-terms.ts'
import { SeededRandom } from '../../compliance/seeded-random.ts'
import { CrashSwitch } from './crash-switch.ts'
import { FakeClock, SettlementRig, TestBooks } from './settlement-rig.ts'

const SEEDS = [11, 12, 13, 14, 15, 16, 17, 18]
const CRASHES_PER_SEED = 28
const HOUR_MS = 3_600_000
const ROUNDS_MAX = 30

/** One life of an account: debts, credits of known and unknown senders, refusals, an operator. */
interface Story {
  name: string
  account: LedgerAccount
  owed: bigint
  engineScale: number
  terms: Partial<SettlementTerms>
  /** The engine refuses this many orders first. */
  refusals: number
  credits: { id: string; known: boolean; amount: bigint; scale: number }[]
  operatorAmount: bigint
}

let books: TestBooks

beforeAll(async () => {
  books = await TestBooks.open()
})

afterAll(async () => {
  await books.close()
})

async function makeStory(seed: number): Promise<Story> {
  const random = new SeededRandom(seed)
  const assetScale = random.pick([6, 9])
  const owed = 1_000_000n + BigInt(random.below(9_000_000))
  const name = books.unique(`story-${seed}`)
  const credits = Array.from({ length: 4 }, (_, index) => ({
    id: `${name}-credit-${index}`,
    known: index !== 2,
    amount: 1n + BigInt(random.below(5_000)),
    scale: assetScale + random.below(4),
  }))
  return {
    name,
    account: await books.account(assetScale, owed, name),
    owed,
    engineScale: random.pick([6, 9]),
    terms: {
      threshold: 500_000n,
      settleTo: BigInt(random.below(400_000)),
      maxAmount: random.below(2) === 0 ? undefined : 1_500_000n,
    },
    refusals: random.below(3),
    credits,
    operatorAmount: 1_000n + BigInt(random.below(10_000)),
  }
}

function openRig(story: Story, clock: FakeClock, crash: CrashSwitch): SettlementRig {
  const rig = new SettlementRig(books, {
    name: story.name,
    engineScale: story.engineScale,
    clock,
    crash,
    handOverDeadlineMs: 500,
  })
  rig.engine.outcome = (id) => {
    const place = Object.keys(rig.engine.orders).indexOf(id)
    return place < story.refusals ? 'refused' : 'settled'
  }
  return rig
}

/** Plays the story until the process dies or it ends. What happened before is not repeated by the world outside. */
async function play(story: Story, rig: SettlementRig): Promise<void> {
  const steps: (() => Promise<void>)[] = [
    () => rig.start([{ account: story.account, terms: story.terms }]),
    async () => {
      rig.engine.answers.push('taken-unheard', 'unavailable')
      await rig.pass(2_000)
    },
    () => rig.engine.tellAll(),
    async () => void (await rig.coordinator.settleNow(story.account.id)),
    () => rig.engine.carryOut(),
    () => rig.run(),
    async () => {
      const id = story.credits.find(({ known }) => !known)!.id
      await rig.coordinator.credits.attribute('scripted', id, story.account.id)
    },
    async () => void (await rig.coordinator.settleNow(story.account.id, story.operatorAmount)),
    () => rig.pass(HOUR_MS),
    () => rig.engine.carryOut(),
    () => rig.run(),
  ]
  for (const step of steps) {
    if (rig.crash.dead) return
    // Refusals to the operator are part of the story; after a death everything throws.
    await step().catch(() => undefined)
    await rig.coordinator.idle()
  }
}

/** After the last life nothing may be open; the operator attributes what is left. */
async function comeToRest(story: Story, rig: SettlementRig): Promise<void> {
  const stray = story.credits.find(({ known }) => !known)!
  for (let round = 0; round < ROUNDS_MAX; round++) {
    await rig.pass(HOUR_MS)
    await rig.engine.carryOut()
    await rig.run()
    const credit = rig.journal.credits.get('scripted', stray.id)
    if (credit?.state === 'suspended') {
      await rig.coordinator.credits.attribute('scripted', stray.id, story.account.id)
    }
    const { balance } = await books.booked(story.account)
    const { threshold = 0n } = story.terms
    const isOpen = rig.journal.outgoing.open(story.account.id).length > 0
    if (!isOpen && rig.engine.allTold && !rig.coordinator.credits.hasOpen && balance < threshold) return
  }
  throw new Error(`not at rest after ${ROUNDS_MAX} hours: ${JSON.stringify(rig.engine.orders)}`)
}

/** Nothing lost, nothing doubled: engine, journal and ledger tell the same to the last unit. */
async function checkMoney(story: Story, rig: SettlementRig): Promise<void> {
  const { account } = story
  const rows = rig.journal
    .page({ accountId: account.id, direction: 'out', limit: 1_000 })
    .flatMap((entry) => (entry.direction === 'out' ? [entry.settlement] : []))
  const settled = rows.filter(({ state }) => state === 'settled')
  const inEngine = Object.entries(rig.engine.orders)
  expect(rows.every(({ state }) => state === 'settled' || state === 'refused')).toBe(true)
  expect(settled.map(({ id }) => id).sort()).toEqual(
    inEngine
      .filter(([, order]) => order.state === 'settled')
      .map(([id]) => id)
      .sort(),
  )
  for (const { id, amount, quantity } of settled) {
    expect(rig.engine.orders[id]?.amount).toBe(quantity.amount.toString())
    const scale = Math.max(quantity.scale, account.assetScale)
    expect(convertQuantity(quantity, scale)).toEqual(
      convertQuantity({ amount, scale: account.assetScale }, scale),
    )
  }
  const paid = settled.reduce((sum, { amount }) => sum + amount, 0n)
  const told = sumQuantities(story.credits.map(({ amount, scale }) => ({ amount, scale })))
  const booked = rig.journal
    .page({ accountId: account.id, direction: 'in', limit: 1_000 })
    .reduce((sum, entry) => (entry.direction === 'in' ? sum + (entry.credit.booked?.amount ?? 0n) : sum), 0n)
  const remainder = rig.journal.credits.remainder('scripted', account)
  const credited = addQuantities({ amount: booked, scale: account.assetScale }, remainder)
  expect(convertQuantity(credited, 255)).toEqual(convertQuantity(told, 255))
  const books_ = await books.booked(account)
  expect(books_.debitsPending).toBe(0n)
  expect(books_.debitsPosted).toBe(paid)
  expect(books_.balance).toBe(story.owed + booked - paid)
  // Settled down to no less than was asked for, or what the operator asked for.
  expect(books_.balance).toBeGreaterThanOrEqual(0n)
}

describe('a crash before or after any step of settlement', () => {
  it('loses nothing and doubles nothing', { timeout: 300_000 }, async () => {
    let crashes = 0
    const places = new Set<string>()
    for (const seed of SEEDS) {
      const whole = new CrashSwitch()
      await tell(seed, whole)
      const points = whole.trace.length
      for (let nth = 0; nth < CRASHES_PER_SEED; nth++) {
        const at = 1 + Math.floor((nth * points) / CRASHES_PER_SEED)
        const crash = new CrashSwitch(at)
        await tell(seed, crash).catch((error: Error) => {
          throw new Error(`seed ${seed}, crash at step ${at} (${crash.trace.at(-1)}): ${error.message}`, {
            cause: error,
          })
        })
        if (!crash.dead) continue
        crashes++
        places.add(crash.trace.at(-1)!)
      }
    }
    expect(crashes).toBeGreaterThanOrEqual(200)
    for (const place of ['store.commit', 'store.committed', 'ledger.hold.done', 'ledger.post.done']) {
      expect(places).toContain(place)
    }
    const suspense = (await books.ledger.balances()).filter(({ id }) => id.startsWith('suspense.'))
    expect(suspense.length).toBeGreaterThan(0)
    for (const { kind, balance, debitsPending } of suspense) {
      if (kind === 'clearing') expect([balance, debitsPending]).toEqual([0n, 0n])
    }
    expect((await books.ledger.selfCheck()).balanced).toBe(true)
  })

  /** Two lives: one that may end early, and one that takes up what it left. */
  async function tell(seed: number, crash: CrashSwitch): Promise<void> {
    const story = await makeStory(seed)
    const clock = new FakeClock()
    const first = openRig(story, clock, crash)
    await first.engine.start()
    for (const { id, known, amount, scale } of story.credits) {
      first.engine.payIn({
        id,
        accountId: known ? story.account.id : undefined,
        assetCode: 'XRP',
        quantity: { amount, scale },
        sender: 'someone',
      })
    }
    await play(story, first)
    await first.stop()
    const second = openRig(story, clock, new CrashSwitch())
    await second.start([{ account: story.account, terms: story.terms }])
    await comeToRest(story, second)
    await checkMoney(story, second)
    // What a crash leaves under way is no difference between ledger and journal.
    expect(second.alarms.counts['books-mismatch']).toBe(0)
    await second.stop()
  }
})

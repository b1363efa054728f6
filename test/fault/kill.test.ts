import { randomInt } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { CRASH_POINTS, CRASH_VARIABLE, type CrashPointName } from '../../src/lib/crash-point.ts'
import { SeededRandom } from '../compliance/seeded-random.ts'
import { expectSoundBooks } from './support/expect-sound-books.ts'
import { KillRounds } from './support/kill-rounds.ts'
import { readLedgerJournal } from './support/ledger-journal.ts'
import { readPaidHistory } from './support/read-history.ts'
import { createTwoAssetNode, type TwoAssetNode } from './support/two-asset-node.ts'

const RANDOM_ROUNDS = 50
const START_ROUNDS = 6
const IMMEDIATE_ROUNDS = 10
/** Load before a kill at a random moment, milliseconds. */
const LOAD_MIN_MS = 20
const LOAD_MAX_MS = 450
const CRASH_COUNTS = { ledger: [1, 7], forward: [1, 333] }
/** A busy machine needs some seconds per start. */
const TIMEOUT_MS = 900_000

const seed = Number(process.env.FAULT_SEED ?? randomInt(2 ** 31))
const random = new SeededRandom(seed)
const between = (min: number, max: number) => min + random.below(max - min)
const points = (Object.keys(CRASH_POINTS) as CrashPointName[]).flatMap((name) =>
  CRASH_COUNTS[name.startsWith('ledger') ? 'ledger' : 'forward'].map((count) => [name, count] as const),
)

const NOTHING_WRONG = { lost: 0, doubled: 0, invented: 0, outOfSequence: 0 }

describe('a node that is killed under load and relays after the commit', () => {
  let scene: TwoAssetNode
  let rounds: KillRounds
  const startedAt = performance.now()

  beforeAll(async () => {
    scene = await createTwoAssetNode()
    rounds = new KillRounds(scene)
  })
  afterAll(async () => {
    const seconds = Math.round((performance.now() - startedAt) / 1_000)
    console.info(`kill -9, relay after-commit, seed ${seed}: ${rounds.summary()}; ${seconds} s`)
    await Promise.all(scene.flows.map((flow) => flow.close()))
    await scene.node.destroy()
  })

  it(
    `loses nothing and books nothing twice over ${RANDOM_ROUNDS} kills at random moments`,
    async () => {
      for (let round = 0; round < RANDOM_ROUNDS; round++) {
        await rounds.start()
        await rounds.load()
        await delay(between(LOAD_MIN_MS, LOAD_MAX_MS))
        await rounds.kill()
        expect(rounds.audit.counts, `round ${round}, seed ${seed}`).toMatchObject(NOTHING_WRONG)
      }
      expect(rounds.audit.counts.booked).toBeGreaterThan(RANDOM_ROUNDS)
    },
    TIMEOUT_MS,
  )

  it.each(points)(
    'loses nothing and books nothing twice when it dies at %s, passed %i times',
    async (name, count) => {
      await rounds.start({ [CRASH_VARIABLE]: `${name}:${count}` })
      await rounds.load()
      await rounds.died()
      expect(rounds.audit.counts).toMatchObject(NOTHING_WRONG)
    },
    60_000,
  )

  it(
    `is not harmed by ${START_ROUNDS} kills while it starts on the books that a kill left`,
    async () => {
      for (let round = 0; round < START_ROUNDS; round++) {
        await rounds.start()
        await rounds.load()
        await delay(between(LOAD_MIN_MS, LOAD_MAX_MS))
        await rounds.kill()
        scene.node.launch()
        await delay(between(0, Math.ceil(rounds.startMs.at(-1)!)))
        await rounds.kill()
        expect(rounds.audit.counts, `round ${round}, seed ${seed}`).toMatchObject(NOTHING_WRONG)
      }
    },
    TIMEOUT_MS,
  )

  it('gives back all credit that packets in flight had taken, to the last unit', async () => {
    await rounds.start()
    const [alice] = scene.flows
    await alice.connect()
    const owed = -(await scene.node.balance('alice'))
    const first = await alice.sendOne()
    expect(first.outcome).toBe('fulfilled')
    // Room for exactly one more packet.
    const creditLimit = String(owed + BigInt(first.amount) + BigInt(first.amount + 1))
    await scene.node.admin('PATCH', '/peers/alice', { creditLimit })
    expect((await alice.sendOne()).outcome).toBe('fulfilled')
    expect((await alice.sendOne()).outcome).toBe('T04')
    await rounds.kill()
    expect(rounds.audit.counts).toMatchObject(NOTHING_WRONG)
  })

  it('shows the same sums in its history, and keeps its books over a stop in order', async () => {
    await rounds.start()
    const { node } = scene
    for (const payer of ['alice', 'carol']) {
      expect(await historyOf(scene, payer)).toEqual({
        paid: rounds.audit.sums.paid.get(payer),
        packets: rounds.audit.sums.packets.get(payer),
      })
    }
    node.signal('SIGTERM')
    expect(await node.ended()).toBe(0)
    const whole = readLedgerJournal(scene.dataDirectory).flatMap(({ records }) => records)
    expect(whole.length).toBe(rounds.audit.counts.booked)
    expect(new Set(whole.map(({ payer, inAmount }) => `${payer} ${inAmount}`)).size).toBe(whole.length)
    await node.start()
    await expectSoundBooks(node, rounds.audit.sums)
    const refused = [...rounds.outcomes().keys()].filter(
      (code) => !['fulfilled', 'T01', 'T04'].includes(code),
    )
    expect(refused).toEqual([])
  }, 60_000)
})

describe('a node that is killed under load and relays immediately', () => {
  let scene: TwoAssetNode
  let rounds: KillRounds
  let missingMost = 0

  beforeAll(async () => {
    scene = await createTwoAssetNode({ ledger: { relay: 'immediately' } })
    rounds = new KillRounds(scene)
  })
  afterAll(async () => {
    const most = `at most ${missingMost} relayed FULFILLs of one payer missing after one kill`
    console.info(`kill -9, relay immediately, seed ${seed}: ${rounds.summary()}; ${most}`)
    await Promise.all(scene.flows.map((flow) => flow.close()))
    await scene.node.destroy()
  })

  it(
    `keeps its books balanced over ${IMMEDIATE_ROUNDS} kills and forgets none but the last packets`,
    async () => {
      for (let round = 0; round < IMMEDIATE_ROUNDS; round++) {
        await rounds.start()
        await rounds.load()
        await delay(between(LOAD_MIN_MS, LOAD_MAX_MS))
        await rounds.kill()
        const { doubled, invented, outOfSequence } = rounds.audit.counts
        expect({ doubled, invented, outOfSequence }).toEqual({ doubled: 0, invented: 0, outOfSequence: 0 })
        for (const { heard } of scene.flows) {
          const kept = heard.filter(({ booked }) => booked > 0).length
          // What is missing is the end of what was relayed: no hole in the middle.
          expect(heard.slice(0, kept).every(({ booked }) => booked === 1)).toBe(true)
          missingMost = Math.max(missingMost, heard.length - kept)
        }
      }
      await rounds.start()
    },
    TIMEOUT_MS,
  )
})

/** What packets took from an account, and how many they were, by its history. */
async function historyOf({ node }: TwoAssetNode, payer: string): Promise<{ paid: bigint; packets: number }> {
  let paid = 0n
  let packets = 0
  for (const { creditAccount, amount, packetCount } of await readPaidHistory(node, payer)) {
    paid += BigInt(amount)
    // The spread of a packet is a transfer of its own.
    if (!creditAccount.startsWith('revenue:')) packets += packetCount
  }
  return { paid, packets }
}

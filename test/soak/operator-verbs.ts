import { setTimeout as delay } from 'node:timers/promises'
import type { SeededRandom } from '../compliance/seeded-random.ts'
import { waitFor } from '../support/wait-for.ts'
import type { ChaosAction } from './chaos-action.ts'
import { MONEY_KINDS, STEP, toToken } from './money-kinds.ts'
import type { ChannelRow, SoakNode } from './soak-node.ts'
import { busyTerms, type SoakScene } from './soak-scene.ts'

const PAUSE_MS = { min: 500, span: 5_000 }
/** A node that is killed meanwhile is up again before. */
const RESUME_DEADLINE_MS = 120_000
const SETTLE_STEPS_MAX = 20_000
const DEPOSIT_STEPS_MAX = 500_000
const IN_CHANNELS = MONEY_KINDS.filter(({ mode }) => mode === 'channel')

export interface Report {
  readonly discrepancies: unknown[]
  readonly unchecked: unknown[]
}

/** What an operator may ask for at any moment. */
export const OPERATOR_VERBS: readonly ChaosAction[] = [
  {
    name: 'settle-now',
    weight: 6,
    prepare: ({ random, scene }) => {
      const { accountId, node } = pickAccount(scene, random)
      const amount = String(BigInt(1 + random.below(SETTLE_STEPS_MAX)) * STEP)
      const body = random.below(2) === 0 ? {} : { amount }
      return async () => {
        if (node.isUp) await node.admin('POST', `/settlements/accounts/${accountId}/settle-now`, body)
      }
    },
  },
  {
    name: 'pause',
    weight: 3,
    prepare: ({ problems, random, scene }) => {
      const { accountId, node } = pickAccount(scene, random)
      const forMs = PAUSE_MS.min + random.below(PAUSE_MS.span)
      return async () => {
        if (!node.isUp) return
        const path = `/settlements/accounts/${accountId}`
        await node.admin('POST', `${path}/pause`, { reason: 'for a moment' })
        await delay(forMs)
        const resume = async () =>
          node.isUp && (await node.admin('POST', `${path}/resume`).then(isDone, isFailed))
        await waitFor(`${accountId} of ${node.name} is resumed`, resume, RESUME_DEADLINE_MS).catch((error) =>
          problems.add('an account cannot be resumed', error),
        )
      }
    },
  },
  {
    name: 'claim',
    weight: 4,
    prepare: ({ random, scene }) => {
      return onChannel(scene, random, {
        isMeant: ({ direction, state }) => direction === 'in' && state === 'open',
        carryOut: async (node, { id }) => await node.admin('POST', `/channels/${id}/claim`),
      })
    },
  },
  {
    name: 'top-up',
    weight: 3,
    prepare: ({ random, scene }) => {
      const steps = BigInt(1 + random.below(DEPOSIT_STEPS_MAX))
      return onChannel(scene, random, {
        isMeant: ({ direction, state }) => direction === 'out' && state === 'open',
        carryOut: async (node, { engine, id }) => {
          await node.admin('POST', `/channels/${id}/top-up`, { amount: inToken(engine, steps) })
        },
      })
    },
  },
  {
    name: 'close',
    weight: 2,
    prepare: ({ random, scene }) => {
      return onChannel(scene, random, {
        isMeant: ({ state }) => state === 'open' || state === 'opening',
        carryOut: async (node, { id }) => await node.admin('POST', `/channels/${id}/close`),
      })
    },
  },
  {
    name: 'open',
    weight: 2,
    prepare: ({ random, scene }) => {
      const node = random.pick(scene.nodes)
      const engine = random.pick(IN_CHANNELS).name
      const accountId = `${random.pick(scene.neighbours(node.name))}-${engine}`
      const deposit = inToken(engine, BigInt(1 + random.below(DEPOSIT_STEPS_MAX)))
      return async () => {
        if (node.isUp) await node.admin('POST', '/channels', { accountId, deposit })
      }
    },
  },
  {
    name: 'reconcile',
    weight: 2,
    prepare: ({ problems, random, scene }) => {
      const node = random.pick(scene.nodes)
      return async () => {
        if (!node.isUp) return
        const { discrepancies } = await node.admin<Report>('POST', '/settlements/reconcile')
        if (discrepancies.length > 0) problems.add(`books of node ${node.name} differ`, discrepancies)
      }
    },
  },
  {
    name: 'reload',
    weight: 3,
    prepare: ({ random, scene }) => {
      const node = random.pick(scene.nodes)
      const settleTo = String(random.pick([0n, 5_000n]) * STEP)
      const maxAmount = String(random.pick([60_000n, 200_000n]) * STEP)
      const interval = random.below(3) === 0 ? { intervalMs: 2_000 } : {}
      const paused = random.below(5) === 0 ? random.pick(MONEY_KINDS).name : undefined
      return async () => {
        await node.reload((engine) => {
          const pause = engine === paused ? { paused: true } : {}
          return busyTerms({ settleTo, maxAmount, ...interval, ...pause })
        })
      }
    },
  },
]

function pickAccount(scene: SoakScene, random: SeededRandom): { node: SoakNode; accountId: string } {
  const node = random.pick(scene.nodes)
  const other = random.pick(scene.neighbours(node.name))
  return { node, accountId: `${other}-${random.pick(MONEY_KINDS).name}` }
}

/** Picks among the channels that there are when it is carried out. */
function onChannel(
  scene: SoakScene,
  random: SeededRandom,
  verb: {
    isMeant: (channel: ChannelRow) => boolean
    carryOut: (node: SoakNode, channel: ChannelRow) => Promise<unknown>
  },
): () => Promise<void> {
  const node = random.pick(scene.nodes)
  const drawn = random.next()
  return async () => {
    if (!node.isUp) return
    const channels = (await node.channels()).filter(verb.isMeant)
    const channel = channels[Math.floor(drawn * channels.length)]
    if (channel !== undefined) await verb.carryOut(node, channel)
  }
}

function inToken(engine: string, steps: bigint): string {
  return String(toToken(MONEY_KINDS.find(({ name }) => name === engine)!, steps * STEP))
}

const isDone = () => true
const isFailed = () => false

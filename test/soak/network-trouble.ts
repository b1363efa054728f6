import { setTimeout as delay } from 'node:timers/promises'
import { SeededRandom } from '../compliance/seeded-random.ts'
import type { Fault, FaultPlan } from '../support/json-rpc-proxy.ts'
import type { ChaosAction } from './chaos-action.ts'

const METHODS = [
  'eth_getBlockByNumber',
  'eth_call',
  'eth_getLogs',
  'eth_sendRawTransaction',
  'eth_getTransactionReceipt',
  'eth_getTransactionCount',
  'eth_getTransactionByHash',
  'eth_chainId',
]
const SHARES = [0.05, 0.2, 0.6, 1]
const FAULTS: readonly Fault[] = [
  { kind: 'drop-request' },
  { kind: 'drop-reply' },
  { kind: 'rate-limit' },
  { kind: 'server-error' },
  { kind: 'rubbish' },
  { kind: 'truncated' },
  { kind: 'hang' },
  { kind: 'delay', ms: 300 },
  { kind: 'delay', ms: 3_000 },
  { kind: 'error', code: -32_603, message: 'internal error' },
  { kind: 'error', code: -32_005, message: 'limit exceeded' },
]
const FAULT_MS = { min: 500, span: 6_000 }
const LAG_MS = { min: 1_000, span: 8_000 }
const LAG_BLOCKS_MAX = 12
/** Finality is two blocks behind: what counts as final stays. */
const REORG_DEPTH_MAX = 2
const SPIKES_GWEI = [50n, 200n, 450n, 700n]
const SPIKE_MS = 6_000
const GWEI = 10n ** 9n
const CALM_FEE = GWEI
const TIME_JUMP_SECONDS = 60

/** What the chain and its nodes do to those who rely on them. */
export const NETWORK_TROUBLE: readonly ChaosAction[] = [
  {
    name: 'fault',
    weight: 10,
    prepare: ({ random, scene }) => {
      const proxy = random.pick(random.pick(scene.nodes).proxies)
      const only = random.below(2) === 0 ? random.pick(METHODS) : undefined
      const share = random.pick(SHARES)
      const fault = random.pick(FAULTS)
      const forMs = FAULT_MS.min + random.below(FAULT_MS.span)
      const dice = new SeededRandom(random.below(2 ** 31))
      const plan: FaultPlan = ({ method }) =>
        (only === undefined || only === method) && dice.next() < share ? fault : undefined
      return async () => {
        proxy.plan = plan
        await delay(forMs)
        if (proxy.plan === plan) proxy.plan = () => undefined
      }
    },
  },
  {
    name: 'lag',
    weight: 4,
    prepare: ({ random, scene }) => {
      const proxy = random.pick(random.pick(scene.nodes).proxies)
      const blocks = 1 + random.below(LAG_BLOCKS_MAX)
      const forMs = LAG_MS.min + random.below(LAG_MS.span)
      return async () => {
        proxy.lagBlocks = blocks
        await delay(forMs)
        proxy.lagBlocks = 0
      }
    },
  },
  {
    name: 'reorg',
    weight: 4,
    prepare: ({ random, scene }) => {
      const depth = 1 + random.below(REORG_DEPTH_MAX)
      return async () => await scene.chain.anvil.reorg(depth)
    },
  },
  {
    name: 'fee-spike',
    weight: 1,
    prepare: ({ random, scene }) => {
      const gwei = random.pick(SPIKES_GWEI)
      const { anvil } = scene.chain
      return async () => {
        await anvil.setNextBaseFee(gwei * GWEI)
        await delay(SPIKE_MS)
        await anvil.setNextBaseFee(CALM_FEE)
      }
    },
  },
  {
    name: 'time-jump',
    weight: 1,
    prepare: ({ scene }) => {
      return async () => await scene.chain.anvil.increaseTime(TIME_JUMP_SECONDS)
    },
  },
]

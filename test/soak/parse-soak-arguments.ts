import { randomInt } from 'node:crypto'
import { parseArgs } from 'node:util'

export interface SoakArguments {
  readonly seed: number
  readonly nodes: 2 | 3
  /** How long things happen; start, rest and comparison come on top. */
  readonly minutes: number
  readonly isCalm: boolean
}

const MINUTES = 4
/** Every packet is kept in memory, to be looked for in the ledgers. */
const MINUTES_MAX = 240
const SEED_MAX = 2 ** 31

/** @throws Error that says what may be given */
export function parseSoakArguments(args: string[]): SoakArguments {
  const { values } = parseArgs({
    args,
    options: {
      seed: { type: 'string' },
      nodes: { type: 'string', default: '2' },
      minutes: { type: 'string', default: String(MINUTES) },
      calm: { type: 'boolean', default: false },
    },
  })
  const seed = values.seed === undefined ? randomInt(SEED_MAX) : Number(values.seed)
  if (!Number.isInteger(seed) || seed < 0 || seed >= SEED_MAX) {
    throw new Error(`--seed takes a whole number below ${SEED_MAX}, not "${values.seed}"`)
  }
  const nodes = Number(values.nodes)
  if (nodes !== 2 && nodes !== 3) throw new Error(`--nodes takes 2 or 3, not "${values.nodes}"`)
  const minutes = Number(values.minutes)
  if (!(minutes > 0 && minutes <= MINUTES_MAX)) {
    throw new Error(`--minutes takes a number up to ${MINUTES_MAX}, not "${values.minutes}"`)
  }
  return { seed, nodes, minutes, isCalm: values.calm }
}

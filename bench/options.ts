import { parseArgs } from 'node:util'

/** What a run of the bench is to do. */
export interface BenchOptions {
  /** Names of cases, in order. */
  only: string[]
  /** Keys of the contestants of the hop; undefined: all. */
  contestants: string[] | undefined
  /** Interleaved rounds of each contestant. */
  rounds: number
  /** Length of each measured window. */
  seconds: number
  /** Where the JSON goes. */
  out: string
  /** Directory for the plots; undefined: none are drawn. */
  plots: string | undefined
}

const DEFAULTS = { rounds: 3, seconds: 4 }
/** Figures from these are no more than a proof that everything runs. */
const QUICK = { rounds: 1, seconds: 1 }
const ROUNDS_MAX = 100
const SECONDS_MAX = 3_600

/**
 * Reads the command line.
 * @param names of every case there is; without `--only` all of them run
 * @throws Error that says what may be given
 */
export function parseOptions(args: string[], names: readonly string[]): BenchOptions {
  const { values } = parseArgs({
    args,
    options: {
      only: { type: 'string' },
      contestants: { type: 'string' },
      rounds: { type: 'string' },
      seconds: { type: 'string' },
      quick: { type: 'boolean', default: false },
      out: { type: 'string', default: 'bench/results/latest.json' },
      plots: { type: 'string' },
    },
  })
  const defaults = values.quick ? QUICK : DEFAULTS
  const only = values.only?.split(',') ?? [...names]
  const unknown = only.find((name) => !names.includes(name))
  if (unknown !== undefined) throw new Error(`there is no case "${unknown}": --only takes ${names.join(',')}`)
  return {
    only,
    contestants: values.contestants?.split(','),
    rounds: number('rounds', values.rounds, { fallback: defaults.rounds, max: ROUNDS_MAX, isWhole: true }),
    seconds: number('seconds', values.seconds, {
      fallback: defaults.seconds,
      max: SECONDS_MAX,
      isWhole: false,
    }),
    out: values.out,
    plots: values.plots,
  }
}

function number(
  name: string,
  text: string | undefined,
  { fallback, max, isWhole }: { fallback: number; max: number; isWhole: boolean },
): number {
  if (text === undefined) return fallback
  const value = Number(text)
  if (value > 0 && value <= max && (!isWhole || Number.isInteger(value))) return value
  throw new Error(`--${name} takes a ${isWhole ? 'whole ' : ''}number up to ${max}, not "${text}"`)
}

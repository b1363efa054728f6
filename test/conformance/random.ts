/** A small seeded generator (mulberry32), so that a failing run can be repeated from its printed seed. */
export interface Random {
  readonly seed: number
  /** Whole number in [0, limit). */
  below(limit: number): number
  chance(probability: number): boolean
  pick<T>(choices: readonly T[]): T
  bytes(length: number): Buffer
}

/** Takes the seed from `CODEC_SEED` when set; prints it in any case. */
export function createRandom(name: string): Random {
  const seed = process.env.CODEC_SEED ? Number(process.env.CODEC_SEED) >>> 0 : (Math.random() * 2 ** 32) >>> 0
  console.info(`${name}: CODEC_SEED=${seed}`)
  let state = seed
  const next = () => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
  }
  const below = (limit: number) => Math.floor(next() * limit)
  return {
    seed,
    below,
    chance: (probability) => next() < probability,
    pick: (choices) => choices[below(choices.length)]!,
    bytes: (length) => Buffer.from(Uint8Array.from({ length }, () => below(256))),
  }
}

/** A small generator with a seed, so that a failing run can be repeated: mulberry32. */
export function seededRandom(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b_79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

/** `BTP_TEST_SEED`, or a new seed; print it in the name of the test. */
export const testSeed = Number(process.env.BTP_TEST_SEED ?? Math.floor(Math.random() * 2 ** 32))

export function randomInt(random: () => number, min: number, max: number): number {
  return min + Math.floor(random() * (max - min + 1))
}

export function randomBytes(random: () => number, length: number): Buffer {
  const bytes = Buffer.alloc(length)
  for (let index = 0; index < length; index++) bytes[index] = random() * 256
  return bytes
}

export function pick<T>(random: () => number, choices: readonly T[]): T {
  return choices[Math.floor(random() * choices.length)]!
}

/** Cuts `bytes` into pieces of random length, as a socket would. */
export function randomChunks(random: () => number, bytes: Buffer, lengthMax: number): Buffer[] {
  const chunks: Buffer[] = []
  for (let offset = 0; offset < bytes.length; ) {
    const length = randomInt(random, 1, lengthMax)
    chunks.push(Buffer.from(bytes.subarray(offset, offset + length)))
    offset += length
  }
  return chunks
}

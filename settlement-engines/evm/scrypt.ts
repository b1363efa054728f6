import { scrypt as nativeScrypt, pbkdf2Sync } from 'node:crypto'

export interface ScryptParameters {
  /** Power of two. */
  readonly n: number
  readonly r: number
  readonly p: number
}

/** Bytes of one block of Salsa20. */
const BLOCK_LENGTH = 64

/**
 * scrypt (RFC 7914). The native one refuses n of 2^(16·r) and above, as the RFC demands; old keystore files with
 * r = 1, among them the published test vector, are above. Those are derived here, which takes some seconds and blocks.
 * @throws Error for parameters that do not work
 */
export async function scrypt(
  password: string,
  salt: Buffer,
  length: number,
  { n, r, p }: ScryptParameters,
): Promise<Buffer> {
  if (Math.log2(n) >= 16 * r) return deriveHere(password, salt, length, { n, r, p })
  // The native one wants room for a little more than the table itself.
  const options = { N: n, r, p, maxmem: 128 * n * r + 128 * r * p + 1024 * 1024 }
  return await new Promise((resolve, reject) => {
    nativeScrypt(password, salt, length, options, (error, key) => {
      if (error === null) resolve(key)
      else reject(error)
    })
  })
}

function deriveHere(password: string, salt: Buffer, length: number, { n, r, p }: ScryptParameters): Buffer {
  const bytes = pbkdf2Sync(password, salt, 1, p * 2 * r * BLOCK_LENGTH, 'sha256')
  const words = Uint32Array.from({ length: bytes.length / 4 }, (_, index) => bytes.readUInt32LE(4 * index))
  const wordsPerMix = 32 * r
  const table = new Uint32Array(n * wordsPerMix)
  for (let lane = 0; lane < p; lane++) {
    mixTable(words.subarray(lane * wordsPerMix, (lane + 1) * wordsPerMix), table, n)
  }
  words.forEach((word, index) => {
    bytes.writeUInt32LE(word, 4 * index)
  })
  return pbkdf2Sync(password, bytes, 1, length, 'sha256')
}

/** scryptROMix: fills the table with n states, then visits it n times in an order that only the states tell. */
function mixTable(state: Uint32Array, table: Uint32Array, n: number): void {
  const size = state.length
  const scratch = new Uint32Array(size)
  const block = new Uint32Array(16)
  for (let row = 0; row < n; row++) {
    table.set(state, row * size)
    mixBlocks(state, scratch, block)
  }
  for (let visit = 0; visit < n; visit++) {
    const row = (state[size - 16]! & (n - 1)) * size
    for (let index = 0; index < size; index++) state[index]! ^= table[row + index]!
    mixBlocks(state, scratch, block)
  }
}

/** scryptBlockMix: even blocks first, odd ones behind. */
function mixBlocks(state: Uint32Array, scratch: Uint32Array, block: Uint32Array): void {
  const blocks = state.length / 16
  block.set(state.subarray(state.length - 16))
  for (let index = 0; index < blocks; index++) {
    for (let word = 0; word < 16; word++) block[word]! ^= state[16 * index + word]!
    salsa(block)
    scratch.set(block, 16 * ((index >> 1) + (index & 1) * (blocks >> 1)))
  }
  state.set(scratch)
}

/** Working copy of {@link salsa}: made once, because it runs millions of times. */
const x = new Int32Array(16)

/** Salsa20/8, in place. */
function salsa(block: Uint32Array): void {
  x.set(block)
  for (let round = 0; round < 8; round += 2) {
    quarter(0, 4, 8, 12)
    quarter(5, 9, 13, 1)
    quarter(10, 14, 2, 6)
    quarter(15, 3, 7, 11)
    quarter(0, 1, 2, 3)
    quarter(5, 6, 7, 4)
    quarter(10, 11, 8, 9)
    quarter(15, 12, 13, 14)
  }
  for (let word = 0; word < 16; word++) block[word]! += x[word]!
}

function quarter(a: number, b: number, c: number, d: number): void {
  let wa = x[a]!
  let wb = x[b]!
  let wc = x[c]!
  let wd = x[d]!
  let sum = (wa + wd) | 0
  wb ^= (sum << 7) | (sum >>> 25)
  sum = (wb + wa) | 0
  wc ^= (sum << 9) | (sum >>> 23)
  sum = (wc + wb) | 0
  wd ^= (sum << 13) | (sum >>> 19)
  sum = (wd + wc) | 0
  wa ^= (sum << 18) | (sum >>> 14)
  x[a] = wa
  x[b] = wb
  x[c] = wc
  x[d] = wd
}

/**
 * SHA-256 (FIPS 180-4) of exactly 32 bytes: one padded block, so no state to keep and no call out of
 * JavaScript. Several times faster here than `crypto.createHash`, whose cost is the crossing.
 */

/** The first 32 bits of the fractional parts of the cube roots of the first 64 primes. */
const K = Int32Array.from(
  (
    '428a2f98 71374491 b5c0fbcf e9b5dba5 3956c25b 59f111f1 923f82a4 ab1c5ed5 ' +
    'd807aa98 12835b01 243185be 550c7dc3 72be5d74 80deb1fe 9bdc06a7 c19bf174 ' +
    'e49b69c1 efbe4786 0fc19dc6 240ca1cc 2de92c6f 4a7484aa 5cb0a9dc 76f988da ' +
    '983e5152 a831c66d b00327c8 bf597fc7 c6e00bf3 d5a79147 06ca6351 14292967 ' +
    '27b70a85 2e1b2138 4d2c6dfc 53380d13 650a7354 766a0abb 81c2c92e 92722c85 ' +
    'a2bfe8a1 a81a664b c24b8b70 c76c51a3 d192e819 d6990624 f40e3585 106aa070 ' +
    '19a4c116 1e376c08 2748774c 34b0bcb5 391c0cb3 4ed8aa4a 5b9cca4f 682e6ff3 ' +
    '748f82ee 78a5636f 84c87814 8cc70208 90befffa a4506ceb bef9a3f7 c67178f2'
  ).split(' '),
  (word) => Number.parseInt(word, 16),
)

/** The first 32 bits of the fractional parts of the square roots of the first 8 primes. */
const H0 = 0x6a09e667
const H1 = 0xbb67ae85
const H2 = 0x3c6ef372
const H3 = 0xa54ff53a
const H4 = 0x510e527f
const H5 = 0x9b05688c
const H6 = 0x1f83d9ab
const H7 = 0x5be0cd19

const INPUT_BITS = 256
const schedule = new Int32Array(64)
const digest = new Uint32Array(8)

/**
 * Hashes the 32 bytes of `buffer` at `offset`. The caller has checked that they lie in the buffer.
 * @param out receives the digest as eight big-endian words
 */
export function sha256OneBlock(buffer: Uint8Array, offset: number, out: Uint32Array): void {
  const w = schedule
  for (let i = 0, at = offset; i < 8; i++, at += 4) {
    w[i] = (buffer[at]! << 24) | (buffer[at + 1]! << 16) | (buffer[at + 2]! << 8) | buffer[at + 3]!
  }
  w[8] = 0x80000000
  w[9] = 0
  w[10] = 0
  w[11] = 0
  w[12] = 0
  w[13] = 0
  w[14] = 0
  w[15] = INPUT_BITS
  for (let i = 16; i < 64; i++) {
    const x = w[i - 15]!
    const y = w[i - 2]!
    const sigma0 = ((x >>> 7) | (x << 25)) ^ ((x >>> 18) | (x << 14)) ^ (x >>> 3)
    const sigma1 = ((y >>> 17) | (y << 15)) ^ ((y >>> 19) | (y << 13)) ^ (y >>> 10)
    w[i] = (w[i - 16]! + sigma0 + w[i - 7]! + sigma1) | 0
  }
  let a = H0 | 0
  let b = H1 | 0
  let c = H2 | 0
  let d = H3 | 0
  let e = H4 | 0
  let f = H5 | 0
  let g = H6 | 0
  let h = H7 | 0
  for (let i = 0; i < 64; i++) {
    const sum1 = ((e >>> 6) | (e << 26)) ^ ((e >>> 11) | (e << 21)) ^ ((e >>> 25) | (e << 7))
    const t1 = (h + sum1 + (g ^ (e & (f ^ g))) + K[i]! + w[i]!) | 0
    const sum0 = ((a >>> 2) | (a << 30)) ^ ((a >>> 13) | (a << 19)) ^ ((a >>> 22) | (a << 10))
    const t2 = (sum0 + ((a & b) | (c & (a | b)))) | 0
    h = g
    g = f
    f = e
    e = (d + t1) | 0
    d = c
    c = b
    b = a
    a = (t1 + t2) | 0
  }
  out[0] = a + H0
  out[1] = b + H1
  out[2] = c + H2
  out[3] = d + H3
  out[4] = e + H4
  out[5] = f + H5
  out[6] = g + H6
  out[7] = h + H7
}

/**
 * True when the SHA-256 of the 32 bytes at `fulfillmentOffset` is the 32 bytes at `conditionOffset`
 * (RFC 27). Both are public by then: the comparison takes no constant time. The caller has checked both bounds.
 */
export function fulfillmentMatches(
  fulfillmentBuffer: Uint8Array,
  fulfillmentOffset: number,
  conditionBuffer: Uint8Array,
  conditionOffset: number,
): boolean {
  sha256OneBlock(fulfillmentBuffer, fulfillmentOffset, digest)
  for (let i = 0, at = conditionOffset; i < 8; i++, at += 4) {
    const word =
      ((conditionBuffer[at]! << 24) |
        (conditionBuffer[at + 1]! << 16) |
        (conditionBuffer[at + 2]! << 8) |
        conditionBuffer[at + 3]!) >>>
      0
    if (word !== digest[i]) return false
  }
  return true
}

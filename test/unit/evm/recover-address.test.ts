import {
  bytesToHex,
  concat,
  type Hex,
  numberToHex,
  recoverAddress as recoverByViem,
  serializeSignature,
} from 'viem'
import { privateKeyToAccount, sign } from 'viem/accounts'
import { describe, expect, it } from 'vitest'
import { recoverAddress } from '../../../settlement-engines/evm/recover-address.ts'
import { mulberry32 } from '../../support/mulberry32.ts'

const ORDER = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141n
const seed = Number(process.env.CAUSEWAY_TEST_SEED ?? Math.floor(Math.random() * 2 ** 31))
const random = mulberry32(seed)
const bytes = (length: number) => Uint8Array.from({ length }, () => Math.floor(random() * 256))
const word = (value: bigint) => numberToHex(value, { size: 32 })
const of = (r: Hex, s: Hex, v: number) => concat([r, s, numberToHex(v, { size: 1 })])

/** What viem says; undefined when it says that there is none. */
async function byViem(hash: Hex, signature: Hex): Promise<Hex | undefined> {
  try {
    return (await recoverByViem({ hash, signature })).toLowerCase() as Hex
  } catch {
    return undefined
  }
}

describe('the address behind a signature', () => {
  it('is that of the key, and that which viem finds', async () => {
    console.info(`seed ${seed} (CAUSEWAY_TEST_SEED repeats it)`)
    for (let count = 0; count < 50; count++) {
      const privateKey = bytesToHex(bytes(32))
      const hash = bytesToHex(bytes(32))
      const signature = serializeSignature(await sign({ hash, privateKey }))
      const address = privateKeyToAccount(privateKey).address.toLowerCase()
      expect(recoverAddress(hash, signature), `seed ${seed}`).toBe(address)
    }
  })

  it('is what viem finds for bytes of any kind', async () => {
    for (let count = 0; count < 200; count++) {
      const [hash, body] = [bytesToHex(bytes(32)), bytesToHex(bytes(64))]
      const signature = concat([body, random() < 0.5 ? '0x1b' : '0x1c'])
      expect(recoverAddress(hash, signature), `seed ${seed}`).toBe(await byViem(hash, signature))
    }
  })

  it.each([
    ['r of 0', of(word(0n), word(1n), 27)],
    ['s of 0', of(word(1n), word(0n), 27)],
    ['r of the order', of(word(ORDER), word(1n), 27)],
    ['s of the order', of(word(1n), word(ORDER), 28)],
    ['v of 0', of(word(1n), word(1n), 0)],
    ['v of 29', of(word(1n), word(1n), 29)],
    ['no bytes', '0x'],
    ['64 bytes', concat([word(1n), word(1n)])],
    ['66 bytes', concat([word(1n), word(1n), '0x1b1b'])],
  ] as [string, Hex][])('is none for %s', (_, signature) => {
    expect(recoverAddress(word(5n), signature)).toBeUndefined()
  })
})

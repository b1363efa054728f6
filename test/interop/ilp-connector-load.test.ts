import { randomBytes } from 'node:crypto'
import { deserializeIlpPrepare } from 'ilp-packet'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { fulfill, makePacket, reject, verdict } from '../blackbox/fake-peer.ts'
import { expectQuietBooks } from './support/books.ts'
import { type ConnectorChain, startConnectorChain } from './support/connector-chain.ts'
import { tokenOf } from './support/settings.ts'
import { Wallets } from './support/wallets.ts'

const PACKETS = 3_000
const AT_ONCE = 100
const AMOUNT = 7n
/** Long enough for two hops of a second each, short enough to wait for. */
const SHORT_EXPIRY_MS = 6_000

type Fate = 'fulfilled' | 'F99' | 'F05' | 'R00'

/** Most are paid; some are refused, some get a wrong fulfillment, a few are never answered. */
function fateOf(index: number): Fate {
  if (index % 300 === 7) return 'R00'
  if (index % 20 === 3) return 'F05'
  return index % 10 === 4 ? 'F99' : 'fulfilled'
}

describe('thousands of packets across our node, ilp-connector and our node', () => {
  let chain: ConnectorChain
  const wallets = new Wallets()

  beforeAll(async () => {
    chain = await startConnectorChain('1000000000000')
  }, 60_000)
  afterAll(async () => {
    await wallets.disconnect()
    await chain?.destroy()
  })

  it('leaves nothing in flight and nothing reserved, whatever becomes of each packet', async () => {
    const alice = await wallets.dial(chain.alicePort, tokenOf('alice'))
    const bob = await wallets.dial(chain.bobPort, tokenOf('bob'))
    const answers = new Map<string, () => Buffer | undefined>()
    bob.registerDataHandler((data) => {
      const condition = deserializeIlpPrepare(data).executionCondition.toString('hex')
      const reply = answers.get(condition)?.()
      return reply === undefined ? new Promise<Buffer>(() => undefined) : Promise.resolve(reply)
    })

    const counts: Record<string, number> = {}
    let next = 0
    const sender = async () => {
      while (next < PACKETS) {
        const fate = fateOf(next++)
        const { prepare, fulfillment } = makePacket('test.b.bob', {
          amount: AMOUNT.toString(),
          expiresInMs: fate === 'R00' ? SHORT_EXPIRY_MS : 30_000,
        })
        const condition = deserializeIlpPrepare(prepare).executionCondition.toString('hex')
        answers.set(condition, () => answer(fate, fulfillment))
        const got = verdict(await alice.sendData(prepare))
        const outcome = got === fate ? got : `${got} instead of ${fate}`
        counts[outcome] = (counts[outcome] ?? 0) + 1
      }
    }
    await Promise.all(Array.from({ length: AT_ONCE }, sender))

    const expected: Record<string, number> = {}
    for (let index = 0; index < PACKETS; index++) {
      const fate = fateOf(index)
      expected[fate] = (expected[fate] ?? 0) + 1
    }
    expect(counts).toEqual(expected)

    const { a, connector, b } = chain
    await expectQuietBooks(a, b)
    const paid = AMOUNT * BigInt(expected.fulfilled!)
    expect(await a.balance('alice')).toBe(-paid)
    expect(await a.balance('connector')).toBe(paid * 1_000n)
    expect(await connector.balance('a')).toBe(paid * 1_000n)
    expect(await connector.balance('b')).toBe(-paid)
    expect(await b.balance('connector')).toBe(-paid)
    expect(await b.balance('bob')).toBe(paid * 2n)
  }, 45_000)
})

function answer(fate: Fate, fulfillment: Buffer): Buffer | undefined {
  switch (fate) {
    case 'fulfilled':
      return fulfill(fulfillment)
    case 'F99':
      return reject('F99', 'not today')
    case 'F05':
      return fulfill(randomBytes(32))
    case 'R00':
      return undefined
  }
}

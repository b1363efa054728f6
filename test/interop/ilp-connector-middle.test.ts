import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { expectQuietBooks } from './support/books.ts'
import { type ConnectorChain, startConnectorChain } from './support/connector-chain.ts'
import { tokenOf } from './support/settings.ts'
import { StreamReceiver } from './support/stream-ends.ts'
import { Wallets } from './support/wallets.ts'

const AMOUNT = 25_000_001n
/** In units of 10^-9 USD: 300,000 of alice's units, so that A passes the connector's F08 on to the sender. */
const CONNECTOR_MAX_PACKET_AMOUNT = '300000000'

describe('ilp-protocol-stream across our node, ilp-connector and our node', () => {
  let chain: ConnectorChain
  const wallets = new Wallets()

  beforeAll(async () => {
    chain = await startConnectorChain(CONNECTOR_MAX_PACKET_AMOUNT)
  }, 60_000)
  afterAll(async () => {
    await wallets.disconnect()
    await chain?.destroy()
  })

  /** The three keep the same balances, each from its side. */
  async function expectMirroredBooks(): Promise<void> {
    const { a, connector, b } = chain
    await expectQuietBooks(a, b)
    expect(await connector.balance('a')).toBe(await a.balance('connector'))
    expect(await connector.balance('b')).toBe(await b.balance('connector'))
  }

  it('pays, and sender, receiver, both ledgers and the connector agree to the unit', async () => {
    const { a, b } = chain
    const alice = await wallets.dial(chain.alicePort, tokenOf('alice'))
    const receiver = await StreamReceiver.start(await wallets.dial(chain.bobPort, tokenOf('bob')))
    const { sent, delivered } = await receiver.payFrom(alice, AMOUNT)
    expect(sent).toBe(AMOUNT)
    expect(receiver.received).toBe(AMOUNT * 2n)
    expect(delivered).toBe(AMOUNT * 2n)
    await expectMirroredBooks()
    expect(await a.balance('alice')).toBe(-AMOUNT)
    expect(await a.balance('connector')).toBe(AMOUNT * 1_000n)
    expect(await b.balance('connector')).toBe(-AMOUNT)
    expect(await b.balance('bob')).toBe(AMOUNT * 2n)
  })

  it('pays back the other way, and the three still agree', async () => {
    const before = { alice: await chain.a.balance('alice'), bob: await chain.b.balance('bob') }
    const bob = await wallets.dial(chain.bobPort, tokenOf('bob'))
    const receiver = await StreamReceiver.start(await wallets.dial(chain.alicePort, tokenOf('alice')))
    const { sent, delivered } = await receiver.payFrom(bob, 9_000_000n)
    expect(sent).toBe(9_000_000n)
    expect(delivered).toBe(receiver.received)
    expect(await chain.b.balance('bob')).toBe(before.bob - sent)
    expect(await chain.a.balance('alice')).toBe(before.alice + delivered)
    await expectMirroredBooks()
  })

  it('is lived with by a connector whose route exchange it refuses', async () => {
    const { connector } = chain
    expect(connector.output).toContain('route control message was rejected')
    expect(connector.running).toBe(true)
    expect([await connector.connected('a'), await connector.connected('b')]).toEqual([true, true])
  })
})

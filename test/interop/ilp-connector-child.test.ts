import { fetch as fetchIldcp } from 'ilp-protocol-ildcp'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { freePort } from '../support/free-port.ts'
import { NodeProcess } from '../support/node-process.ts'
import { waitFor } from '../support/wait-for.ts'
import { expectQuietBooks } from './support/books.ts'
import { type ConnectorOptions, IlpConnectorProcess } from './support/ilp-connector-process.ts'
import { btpGuest, btpHost, btpListener, secretsOf, tokenOf } from './support/settings.ts'
import { StreamReceiver } from './support/stream-ends.ts'
import { type Plugin, Wallets } from './support/wallets.ts'

const USD = { code: 'USD', scale: 6 }
const NANO_USD = { code: 'USD', scale: 9 }
const AMOUNT = 1_234_567n

const addressOf = async (plugin: Plugin): Promise<string> =>
  (await fetchIldcp(plugin.sendData.bind(plugin))).clientAddress

describe('ilp-connector as a child of our node', () => {
  const wallets = new Wallets()
  let node: NodeProcess
  let connector: IlpConnectorProcess
  let [nodePort, shopPort] = [0, 0]

  beforeAll(async () => {
    ;[nodePort, shopPort] = [await freePort(), await freePort()]
    node = await NodeProcess.create(
      {
        plugins: btpListener(nodePort),
        peers: [
          btpGuest({ id: 'alice', relation: 'child', asset: USD }),
          btpGuest({ id: 'connector', relation: 'child', asset: NANO_USD, addressSegment: 'kid' }),
        ],
      },
      secretsOf('alice', 'connector'),
    )
    connector = await IlpConnectorProcess.create({
      accounts: {
        up: {
          relation: 'parent',
          assetCode: 'USD',
          assetScale: 9,
          btp: { dial: nodePort, token: tokenOf('connector') },
        },
        shop: {
          relation: 'child',
          assetCode: 'USD',
          assetScale: 6,
          btp: { listen: shopPort, token: tokenOf('shop') },
        },
      },
    })
    await node.start()
    connector.launch()
    await wallets.dial(shopPort, tokenOf('shop'))
    await connector.ready()
  }, 60_000)
  afterAll(async () => {
    await wallets.disconnect()
    await connector?.stop()
    await node?.destroy()
  })

  it('learns its address from us, and its own children theirs from it', async () => {
    expect(await connector.address()).toBe('test.node.kid')
    expect(await addressOf(await wallets.dial(shopPort, tokenOf('shop')))).toBe('test.node.kid.shop')
  })

  it('is paid through us for a customer of its own', async () => {
    const alice = await wallets.dial(nodePort, tokenOf('alice'))
    const receiver = await StreamReceiver.start(await wallets.dial(shopPort, tokenOf('shop')))
    const { sent, delivered } = await receiver.payFrom(alice, AMOUNT)
    expect([sent, delivered, receiver.received]).toEqual([AMOUNT, AMOUNT, AMOUNT])
    await expectQuietBooks(node)
    expect(await node.balance('alice')).toBe(-AMOUNT)
    expect(await node.balance('connector')).toBe(AMOUNT * 1_000n)
    expect(await connector.balance('up')).toBe(AMOUNT * 1_000n)
    expect(await connector.balance('shop')).toBe(-AMOUNT)
  })

  it('pays through us for a customer of its own', async () => {
    const before = { alice: await node.balance('alice'), up: await connector.balance('up') }
    const shop = await wallets.dial(shopPort, tokenOf('shop'))
    const receiver = await StreamReceiver.start(await wallets.dial(nodePort, tokenOf('alice')))
    const { sent, delivered } = await receiver.payFrom(shop, 34_567n)
    expect([sent, delivered, receiver.received]).toEqual([34_567n, 34_567n, 34_567n])
    await expectQuietBooks(node)
    expect(await node.balance('alice')).toBe(before.alice + 34_567n)
    expect(await connector.balance('up')).toBe(before.up - 34_567_000n)
    expect(await node.balance('connector')).toBe(await connector.balance('up'))
  })
})

describe('ilp-connector as the parent of our node', () => {
  const wallets = new Wallets()
  let node: NodeProcess
  let connector: IlpConnectorProcess
  let [nodePort, parentPort, bobPort] = [0, 0, 0]

  /** The parent under an address; ports and accounts are the same each time. */
  async function startParent(ilpAddress: string): Promise<void> {
    const child = (listen: number, id: string, assetScale: number) =>
      ({
        relation: 'child',
        assetCode: 'USD',
        assetScale,
        btp: { listen, token: tokenOf(id) },
      }) as const
    const accounts: ConnectorOptions['accounts'] = {
      us: child(parentPort, 'parent', 9),
      bob: child(bobPort, 'bob', 6),
    }
    connector = await IlpConnectorProcess.create({ ilpAddress, accounts })
    connector.launch()
    await wallets.dial(bobPort, tokenOf('bob'))
    await connector.ready()
  }

  const learns = (address: string) =>
    waitFor(`the node has the address ${address}`, async () => {
      const { ilpAddress } = await node.admin<{ ilpAddress?: string }>('GET', '/node')
      return ilpAddress === address
    })

  beforeAll(async () => {
    ;[nodePort, parentPort, bobPort] = [await freePort(), await freePort(), await freePort()]
    node = await NodeProcess.create(
      {
        node: { ilpAddress: undefined },
        plugins: btpListener(nodePort),
        peers: [
          btpHost({ id: 'parent', relation: 'parent', asset: NANO_USD }, parentPort),
          btpGuest({ id: 'alice', relation: 'child', asset: USD }),
        ],
      },
      secretsOf('parent', 'alice'),
    )
    // Before its parent: it has to go on dialling.
    await node.start()
    await startParent('test.parent')
  }, 60_000)
  afterAll(async () => {
    await wallets.disconnect()
    await connector?.stop()
    await node?.destroy()
  })

  it('tells us our address, and our own children get theirs below it', async () => {
    await learns('test.parent.us')
    expect(await addressOf(await wallets.dial(nodePort, tokenOf('alice')))).toBe('test.parent.us.alice')
  })

  it('takes payments of our customers to its own, and passes on theirs to ours', async () => {
    const receiver = await StreamReceiver.start(await wallets.dial(bobPort, tokenOf('bob')))
    const alice = await wallets.dial(nodePort, tokenOf('alice'))
    const there = await receiver.payFrom(alice, AMOUNT)
    expect([there.sent, there.delivered, receiver.received]).toEqual([AMOUNT, AMOUNT, AMOUNT])
    const back = await StreamReceiver.start(await wallets.dial(nodePort, tokenOf('alice')))
    const bob = await wallets.dial(bobPort, tokenOf('bob'))
    expect(await back.payFrom(bob, 4_567n)).toEqual({ sent: 4_567n, delivered: 4_567n })
    expect(back.received).toBe(4_567n)
    await expectQuietBooks(node)
    expect(await node.balance('alice')).toBe(4_567n - AMOUNT)
    expect(await node.balance('parent')).toBe((AMOUNT - 4_567n) * 1_000n)
    expect(await connector.balance('us')).toBe((AMOUNT - 4_567n) * 1_000n)
  })

  it('is asked again after it restarted, and everything below us moves to the new address', async () => {
    const before = await node.balance('alice')
    await connector.stop()
    await startParent('test.moved')
    await learns('test.moved.us')
    const alice = await wallets.dial(nodePort, tokenOf('alice'))
    expect(await addressOf(alice)).toBe('test.moved.us.alice')
    const receiver = await StreamReceiver.start(await wallets.dial(bobPort, tokenOf('bob')))
    expect(await receiver.payFrom(alice, 1_000n)).toMatchObject({ delivered: 1_000n })
    await expectQuietBooks(node)
    expect(await node.balance('alice')).toBe(before - 1_000n)
  }, 45_000)
})

import { closeConnection, pay, setupPayment, startQuote } from '@interledger/pay'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { freePort } from '../support/free-port.ts'
import { NodeProcess } from '../support/node-process.ts'
import { waitFor } from '../support/wait-for.ts'
import { expectQuietBooks } from './support/books.ts'
import { InProcessReceiver } from './support/in-process-receiver.ts'
import { btpGuest, btpListener, secretsOf, tokenOf } from './support/settings.ts'
import { createHttpWallet, type HttpWallet, type Plugin, Wallets } from './support/wallets.ts'

const USD = { code: 'USD', scale: 6 }
const XRP = { code: 'XRP', scale: 9 }
const PRICES = { USD: 1, XRP: 0.52 }
const MAX_PACKET_AMOUNT = 1_000_000n
/** Smallest units of XRP for some of USD, without rounding at each packet. */
const worth = (usd: bigint) => (usd * 1_000n * 100n) / 52n

describe('@interledger/pay through our node to @interledger/stream-receiver', () => {
  let node: NodeProcess
  let btpPort = 0
  let [httpSender, httpReceiver]: [HttpWallet, HttpWallet] = [undefined!, undefined!]
  const wallets = new Wallets()

  beforeAll(async () => {
    btpPort = await freePort()
    const httpPort = await freePort()
    const http = (id: string) =>
      createHttpWallet({
        theirUrl: `http://127.0.0.1:${httpPort}/ilp`,
        toThem: tokenOf(id),
        fromThem: tokenOf('node'),
      })
    ;[httpSender, httpReceiver] = await Promise.all([http('http-sender'), http('http-receiver')])
    const link = (id: string, { url }: HttpWallet) => ({
      plugin: 'ilp-http',
      incoming: { scheme: 'bearer', token: `secret:${id}` },
      outgoing: { scheme: 'bearer', token: 'secret:node', url, probeMinMs: 20 },
    })
    const limits = { maxPacketAmount: MAX_PACKET_AMOUNT.toString() }
    const sender = { relation: 'child' as const, asset: USD, limits }
    const receiver = { relation: 'child' as const, asset: XRP }
    const ids = ['btp-sender', 'btp-receiver', 'http-sender', 'http-receiver']
    node = await NodeProcess.create(
      {
        plugins: { ...btpListener(btpPort), 'ilp-http': { listen: { host: '127.0.0.1', port: httpPort } } },
        peers: [
          btpGuest({ id: 'btp-sender', ...sender }),
          btpGuest({ id: 'btp-receiver', ...receiver }),
          btpGuest({ id: 'http-sender', ...sender, link: link('http-sender', httpSender) }),
          btpGuest({ id: 'http-receiver', ...receiver, link: link('http-receiver', httpReceiver) }),
        ],
        rates: { provider: 'fixed', base: 'USD', prices: { USD: '1', XRP: '0.52' } },
      },
      secretsOf(...ids, 'node'),
    )
    await Promise.all([httpSender.plugin.connect(), httpReceiver.plugin.connect(), node.start()])
    await waitFor('the node reaches the HTTP receiver', async () => {
      const peer = await node.admin<{ link: { connected: boolean } }>('GET', '/peers/http-receiver')
      return peer.link.connected
    })
  }, 60_000)
  afterAll(async () => {
    await wallets.disconnect()
    await Promise.all([httpSender?.plugin.disconnect(), httpReceiver?.plugin.disconnect()])
    await node?.destroy()
  })

  async function walletOf(id: string): Promise<Plugin> {
    if (id === 'http-sender') return httpSender.plugin
    if (id === 'http-receiver') return httpReceiver.plugin
    return wallets.dial(btpPort, tokenOf(id))
  }

  async function payFrom(senderId: string, receiverId: string, amount: object) {
    const receiver = await InProcessReceiver.start(await walletOf(receiverId))
    const plugin = await walletOf(senderId)
    const { ilpAddress, sharedSecret } = receiver.credentials()
    const destination = await setupPayment({
      plugin,
      destinationAddress: ilpAddress,
      sharedSecret,
      destinationAsset: XRP,
    })
    const quote = await startQuote({ plugin, destination, sourceAsset: USD, prices: PRICES, ...amount })
    const progress = await pay({ plugin, destination, quote })
    await closeConnection(plugin, destination)
    return { receiver, quote, progress }
  }

  it.each([
    ['btp-sender', 'btp-receiver'],
    ['http-sender', 'http-receiver'],
    ['btp-sender', 'http-receiver'],
  ])('sends a fixed amount from %s to %s, and all three agree to the unit', async (senderId, receiverId) => {
    const amount = 5_000_003n
    const before = { sender: await node.balance(senderId), receiver: await node.balance(receiverId) }
    const { receiver, quote, progress } = await payFrom(senderId, receiverId, { amountToSend: amount })
    expect(quote.maxPacketAmount).toBe(MAX_PACKET_AMOUNT)
    expect(progress).toMatchObject({ amountSent: amount, amountDelivered: receiver.received })
    expect(progress.error).toBeUndefined()
    expect(receiver.received).toBeLessThanOrEqual(worth(amount))
    expect(receiver.received).toBeGreaterThan(worth(amount) - 20n)
    await expectQuietBooks(node)
    expect(await node.balance(senderId)).toBe(before.sender - amount)
    expect(await node.balance(receiverId)).toBe(before.receiver + receiver.received)
  })

  it('delivers a fixed amount, and takes no more for it than was quoted', async () => {
    const amount = 7_654_321_000n
    const before = { sender: await node.balance('btp-sender'), receiver: await node.balance('btp-receiver') }
    const { receiver, quote, progress } = await payFrom('btp-sender', 'btp-receiver', {
      amountToDeliver: amount,
    })
    expect(progress.error).toBeUndefined()
    expect(progress.amountDelivered).toBe(receiver.received)
    expect(receiver.received).toBeGreaterThanOrEqual(amount)
    expect(progress.amountSent).toBeLessThanOrEqual(quote.maxSourceAmount)
    await expectQuietBooks(node)
    expect(await node.balance('btp-sender')).toBe(before.sender - progress.amountSent)
    expect(await node.balance('btp-receiver')).toBe(before.receiver + receiver.received)
  })
})

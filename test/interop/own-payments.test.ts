import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { freePort } from '../support/free-port.ts'
import { NodeProcess } from '../support/node-process.ts'
import { waitFor } from '../support/wait-for.ts'
import { expectQuietBooks } from './support/books.ts'
import { btpGuest, btpListener, secretsOf, tokenOf } from './support/settings.ts'
import { querySpsp, SpspEndpoint } from './support/spsp-endpoint.ts'
import { payOverStream, StreamReceiver } from './support/stream-ends.ts'
import { Wallets } from './support/wallets.ts'

const USD = { code: 'USD', scale: 6 }
const XRP = { code: 'XRP', scale: 6 }
const CREDIT = '1000000000000000000'

interface Payment {
  id: string
  state: string
  sent: string
  delivered: string
}

describe('payments of our own accounts with third parties', () => {
  let node: NodeProcess
  let port = 0
  const wallets = new Wallets()

  beforeAll(async () => {
    port = await freePort()
    node = await NodeProcess.create(
      {
        plugins: btpListener(port),
        // Bob takes small packets only, so that payments to him have many.
        peers: [
          btpGuest({ id: 'bob', relation: 'child', asset: XRP, limits: { maxPacketAmount: '100000' } }),
        ],
        accounts: [{ id: 'till', asset: USD, creditLimit: CREDIT }],
        spsp: { listen: { host: '127.0.0.1', port: 0 } },
        rates: { provider: 'fixed', base: 'USD', prices: { USD: '1', XRP: '0.5' } },
      },
      secretsOf('bob'),
    )
    await node.start()
  }, 60_000)
  afterAll(async () => {
    await wallets.disconnect()
    await node?.destroy()
  })

  it('pays a STREAM server of someone else, found over its SPSP endpoint', async () => {
    const receiver = await StreamReceiver.start(await wallets.dial(port, tokenOf('bob')))
    const endpoint = await SpspEndpoint.start(() => receiver.credentials())
    try {
      const request = { fromAccount: 'till', destination: endpoint.url, amount: '3000001' }
      const { id } = await node.admin<Payment>('POST', '/payments', request)
      const payment = await waitFor('the payment ends', async () => {
        const view = await node.admin<Payment>('GET', `/payments/${id}`)
        return view.state === 'running' ? undefined : view
      })
      expect(payment).toMatchObject({ state: 'completed', sent: '3000001', delivered: '6000002' })
    } finally {
      await endpoint.stop()
    }
    expect(receiver.received).toBe(6_000_002n)
    await expectQuietBooks(node)
    expect(await node.balance('till')).toBe(-3_000_001n)
    expect(await node.balance('bob')).toBe(6_000_002n)
  })

  it('is paid by a STREAM client of someone else over its own payment pointer', async () => {
    const before = { till: await node.balance('till'), bob: await node.balance('bob') }
    const [till] = await node.admin<{ spspUrl: string }[]>('GET', '/local-accounts')
    const bob = await wallets.dial(port, tokenOf('bob'))
    const { sent, delivered } = await payOverStream(bob, await querySpsp(till!.spspUrl), 4_000_000n)
    expect([sent, delivered]).toEqual([4_000_000n, 2_000_000n])
    await expectQuietBooks(node)
    expect(await node.balance('till')).toBe(before.till + 2_000_000n)
    expect(await node.balance('bob')).toBe(before.bob - 4_000_000n)
    const [after] = await node.admin<{ balance: string }[]>('GET', '/local-accounts')
    expect(BigInt(after!.balance)).toBe(before.till + 2_000_000n)
  })
})

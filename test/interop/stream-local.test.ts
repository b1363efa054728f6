import { closeConnection, pay as payWith, setupPayment, startQuote } from '@interledger/pay'
import { createConnection, createServer, type DataAndMoneyStream } from 'ilp-protocol-stream'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { PaymentView } from '../../src/admin/services.ts'
import { systemClock } from '../../src/lib/clock.ts'
import { silentLogger } from '../../src/lib/logger.ts'
import { PaymentManager, type PaymentManagerOptions } from '../../src/payments/payment-manager.ts'
import { SpspServer } from '../../src/payments/spsp-server.ts'
import { Relay } from '../unit/payments/relay.ts'

const USD = { code: 'USD', scale: 9 }
const XRP = { code: 'XRP', scale: 6 }

describe('payments between local accounts over ilp-protocol-stream', () => {
  let relay: Relay
  let manager: PaymentManager
  let spsp: SpspServer

  const setUp = async (options: Partial<PaymentManagerOptions> = {}) => {
    manager = new PaymentManager(
      {
        accounts: [
          { id: 'alice', asset: USD },
          { id: 'bob', asset: XRP },
        ],
        serverSecret: Buffer.alloc(32, 7),
        ...options,
      },
      {
        clock: systemClock,
        logger: silentLogger,
        endpointOf: (id) => relay.accounts.get(id)!.endpoint,
        address: () => relay.address,
        balance: (id) => relay.balance(id),
        openLocalAccount: (name, asset) => relay.open(name, asset),
        spspBaseUrl: () => spsp.url,
        ping: () => Promise.reject(new Error('not here')),
      },
    )
    spsp = new SpspServer(
      { host: '127.0.0.1', port: 0 },
      { receivers: manager, clock: systemClock, logger: silentLogger },
    )
    await spsp.start()
    await manager.start()
  }

  beforeEach(async () => {
    relay = new Relay()
    await relay.open('alice', USD)
    await relay.open('bob', XRP)
  })

  afterEach(async () => {
    await spsp.stop()
    await manager.stop()
    await relay.stop()
  })

  const pay = (amount: string, destination = 'bob', fromAccount = 'alice') =>
    manager.pay({ fromAccount, destination, amount })
  const ended = (id: string): Promise<PaymentView> =>
    vi.waitFor(
      () => {
        const view = manager.get(id)!
        expect(view.state).not.toBe('running')
        return view
      },
      { timeout: 20_000, interval: 10 },
    )

  it('pays an exact amount, and the accounts move by it', async () => {
    await setUp()
    const begun = await pay('123456789')
    expect(begun).toMatchObject({ state: 'running', sent: '0', amount: '123456789', destination: 'bob' })
    const view = await ended(begun.id)
    expect(view).toMatchObject({
      state: 'completed',
      sent: '123456789',
      delivered: '123456789',
      message: undefined,
      destinationAssetCode: 'XRP',
      destinationAssetScale: 6,
    })
    expect(relay.balance('alice')).toBe(-123456789n)
    expect(relay.balance('bob')).toBe(123456789n)
    expect(manager.localAccounts().map(({ balance }) => balance)).toEqual(['-123456789', '123456789'])
  })

  it('pays across a rate in many packets, and says what arrived', async () => {
    await setUp()
    relay.convert = (amount) => (amount * 9n) / 5000n
    const max = 1_000_000n
    relay.judge = ({ amount }) => {
      if (BigInt(amount) <= max) return undefined
      const data = Buffer.alloc(16)
      data.writeBigUInt64BE(BigInt(amount), 0)
      data.writeBigUInt64BE(max, 8)
      return { code: 'F08', data }
    }
    const view = await ended((await pay('20000001')).id)
    expect(view).toMatchObject({ state: 'completed', sent: '20000001' })
    expect(relay.balance('alice')).toBe(-20000001n)
    expect(view.delivered).toBe(relay.balance('bob').toString())
    expect(relay.balance('bob')).toBeLessThanOrEqual((20000001n * 9n) / 5000n)
    expect(relay.balance('bob')).toBeGreaterThan((20000001n * 9n) / 5000n - 40n)
  })

  it('pays amounts beyond 2^53 exactly', async () => {
    await setUp()
    const amount = '18446744073709551615'
    const view = await ended((await pay(amount)).id)
    expect(view).toMatchObject({ state: 'completed', sent: amount, delivered: amount })
    expect(relay.balance('bob')).toBe(BigInt(amount))
  })

  it('pays a single unit', async () => {
    await setUp()
    expect(await ended((await pay('1')).id)).toMatchObject({ state: 'completed', sent: '1', delivered: '1' })
  })

  it('pays an SPSP URL of its own server', async () => {
    await setUp()
    const view = await ended((await pay('5000', `${spsp.url}/bob`)).id)
    expect(view).toMatchObject({ state: 'completed', sent: '5000', delivered: '5000' })
    const nobody = await ended((await pay('5000', `${spsp.url}/carol`)).id)
    expect(nobody).toMatchObject({ state: 'failed', sent: '0' })
    expect(nobody.message).toMatch(/nobody is paid at/)
  })

  it('runs many payments at once from and to the same account, and refuses one too many', async () => {
    await setUp()
    const begun = await Promise.all(
      Array.from({ length: 64 }, (_, i) => (i % 2 ? pay('1000') : pay('1000', 'alice', 'bob'))),
    )
    await expect(pay('1000')).rejects.toMatchObject({ code: 'SERVICE_UNAVAILABLE' })
    for (const { id } of begun) expect((await ended(id)).state).toBe('completed')
    expect(relay.balance('alice')).toBe(0n)
    expect((await ended((await pay('10')).id)).state).toBe('completed')
  })

  it('fails at once, with the reason, when the path refuses for good', async () => {
    await setUp()
    relay.judge = () => ({ code: 'F02' })
    const view = await ended((await pay('1000')).id)
    expect(view).toMatchObject({ state: 'failed', sent: '0', delivered: '0' })
    expect(view.message).toMatch(/^0 of 1000 was sent and 0 arrived: .*F02 from test.relay: as judged/)
  })

  it('says what was sent and what arrived when the path breaks midway', async () => {
    await setUp()
    relay.judge = (prepare) => {
      const max = 100n
      if (relay.balance('bob') >= 500n) return { code: 'F00' }
      if (BigInt(prepare.amount) <= max) return undefined
      const data = Buffer.alloc(16)
      data.writeBigUInt64BE(BigInt(prepare.amount), 0)
      data.writeBigUInt64BE(max, 8)
      return { code: 'F08', data }
    }
    const view = await ended((await pay('1000')).id)
    expect(view.state).toBe('failed')
    expect(view.sent).toBe((-relay.balance('alice')).toString())
    expect(view.delivered).toBe(relay.balance('bob').toString())
    expect(BigInt(view.sent)).toBeGreaterThanOrEqual(500n)
    expect(view.message).toMatch(new RegExp(`^${view.sent} of 1000 was sent and ${view.delivered} arrived`))
  })

  it('gives up when the receiver only answers "later"', async () => {
    await setUp({ stallTimeoutMs: 300 })
    relay.judge = ({ amount }) => (amount === '0' ? undefined : { code: 'T04' })
    const view = await ended((await pay('1000')).id)
    expect(view).toMatchObject({ state: 'failed', sent: '0' })
    expect(view.message).toMatch(/no progress for 300 ms.*T04 from test.relay/)
  })

  it('waits for packets under way before it calls a payment failed', async () => {
    await setUp({ stallTimeoutMs: 200 })
    const held: (() => void)[] = []
    const alice = relay.accounts.get('alice')!
    const sendReply = alice.link.sendReply.bind(alice.link)
    alice.link.sendReply = (handle, packet, start, end) => {
      const copy = Buffer.from(packet.subarray(start, end))
      // The fulfill of the money is late.
      if (copy[0] === 13 && copy.length > 100) held.push(() => sendReply(handle, copy, 0, copy.length))
      else sendReply(handle, copy, 0, copy.length)
    }
    const { id } = await pay('1000')
    await vi.waitFor(() => expect(held).toHaveLength(1), { timeout: 5_000 })
    const prepares = relay.prepares.length
    // The goodbye to the receiver shows that the payment was broken off.
    await vi.waitFor(() => expect(relay.prepares.length).toBeGreaterThan(prepares), { timeout: 5_000 })
    expect(manager.get(id)?.state).toBe('running')
    held[0]?.()
    const view = await ended(id)
    expect(view.sent).toBe('1000')
    expect(view.state).toBe('completed')
  })

  it('does not send money again whose fate is unknown, and says how much that is', async () => {
    await setUp()
    relay.judge = ({ amount }) => (amount === '1234' ? 'hang' : undefined)
    const { id } = await pay('1234')
    const sendings = () => relay.prepares.filter(({ amount }) => amount === '1234')
    await vi.waitFor(() => expect(sendings()).toHaveLength(1))
    const { endpoint } = relay.accounts.get('alice')!
    await endpoint.disconnect()
    await endpoint.connect()
    const view = await ended(id)
    expect(view.state).toBe('failed')
    expect(view.message).toMatch(/up to 1234 more may have been sent/)
    expect(sendings()).toHaveLength(1)
  })

  it('fails when the node takes no packets for too long', async () => {
    await setUp({ stallTimeoutMs: 300 })
    await relay.accounts.get('alice')!.endpoint.disconnect()
    const view = await ended((await pay('1000')).id)
    expect(view.message).toMatch(/^0 of 1000 was sent and 0 arrived: .*does not take packets now/)
    await relay.accounts.get('alice')!.endpoint.connect()
    expect((await ended((await pay('1000')).id)).state).toBe('completed')
  })

  it('can be cancelled', async () => {
    await setUp()
    relay.judge = ({ amount }) => (amount === '0' ? undefined : { code: 'T04' })
    const { id } = await pay('1000')
    expect(manager.cancel(id)).toBe(true)
    expect((await ended(id)).message).toMatch(/cancelled/)
    expect(manager.cancel(id)).toBe(false)
  })

  it('ends payments when the node stops', async () => {
    await setUp()
    relay.judge = ({ amount }) => (amount === '0' ? undefined : { code: 'T04' })
    const { id } = await pay('1000')
    await manager.stop()
    expect(manager.get(id)).toMatchObject({ state: 'failed' })
    await expect(pay('1')).rejects.toMatchObject({ code: 'SERVICE_UNAVAILABLE' })
  })

  it('accounts for every unit when the node stops midway through many payments', async () => {
    await setUp()
    const max = 100n
    relay.judge = ({ amount }) => {
      if (BigInt(amount) <= max) return undefined
      const data = Buffer.alloc(16)
      data.writeBigUInt64BE(BigInt(amount), 0)
      data.writeBigUInt64BE(max, 8)
      return { code: 'F08', data }
    }
    const begun = await Promise.all(Array.from({ length: 10 }, () => pay('100000')))
    await vi.waitFor(() => expect(relay.balance('bob')).toBeGreaterThan(5_000n), { timeout: 10_000 })
    await manager.stop()
    const views = begun.map(({ id }) => manager.get(id)!)
    expect(views.map(({ state }) => state)).toEqual(begun.map(() => 'failed'))
    const sum = (key: 'sent' | 'delivered') => views.reduce((total, view) => total + BigInt(view[key]), 0n)
    expect(sum('sent')).toBe(-relay.balance('alice'))
    expect(sum('sent')).toBe(relay.balance('bob'))
    expect(sum('delivered')).toBeLessThanOrEqual(relay.balance('bob'))
  })

  it('refuses requests that cannot work', async () => {
    await setUp()
    await expect(pay('1', 'bob', 'carol')).rejects.toMatchObject({ code: 'RESOURCE_NOT_FOUND' })
    for (const amount of ['0', '-1', '1.5', '', '18446744073709551616', 'x']) {
      await expect(pay(amount)).rejects.toMatchObject({
        code: 'VALIDATION_ERROR',
        details: [{ field: 'amount' }],
      })
    }
    for (const destination of ['alice', 'carol', '$x.example:8080', 'http://pay.example/bob', 'ftp://x/']) {
      await expect(pay('1', destination)).rejects.toMatchObject({
        code: 'VALIDATION_ERROR',
        details: [{ field: 'destination' }],
      })
    }
  })

  it('waits for the address of the node and follows when it changes', async () => {
    relay.address = undefined
    await setUp()
    expect(manager.localAccounts()[0]?.ilpAddress).toBeUndefined()
    expect(manager.spspCredentials('bob')).toBe('not-ready')
    await expect(pay('1')).rejects.toMatchObject({ code: 'SERVICE_UNAVAILABLE' })
    relay.address = 'test.first'
    await vi.waitFor(() => expect(manager.localAccounts()[1]?.ilpAddress).toBe('test.first.bob'), 5_000)
    relay.address = 'test.second'
    await vi.waitFor(() => expect(manager.localAccounts()[1]?.ilpAddress).toBe('test.second.bob'), 5_000)
    expect((await ended((await pay('77')).id)).state).toBe('completed')
  })

  it('opens accounts for tests that can be paid', async () => {
    await setUp()
    const request = { name: 'carol', assetCode: 'EUR', assetScale: 2 }
    const carol = await manager.receive(request)
    expect(carol).toEqual({
      id: 'carol',
      ilpAddress: 'test.relay.carol',
      spspUrl: `${spsp.url}/carol`,
      paymentPointer: undefined,
      assetCode: 'EUR',
      assetScale: 2,
      balance: '0',
    })
    await expect(manager.receive(request)).rejects.toMatchObject({ code: 'CONFLICT' })
    await expect(manager.receive({ ...request, name: 'a b' })).rejects.toMatchObject({
      code: 'VALIDATION_ERROR',
    })
    const unnamed = await manager.receive({ name: undefined, assetCode: undefined, assetScale: undefined })
    expect(unnamed).toMatchObject({ assetCode: 'USD', assetScale: 9 })
    expect((await ended((await pay('500', carol.spspUrl)).id)).state).toBe('completed')
    expect(relay.balance('carol')).toBe(500n)
  })

  it('keeps addresses payable across a restart with the same secret', async () => {
    await setUp()
    const credentials = manager.spspCredentials('bob')
    await spsp.stop()
    await manager.stop()
    await setUp()
    expect(credentials).toMatchObject({ destinationAccount: expect.stringMatching(/^test\.relay\.bob\./) })
    const { destinationAccount, sharedSecret } = credentials as Exclude<
      typeof credentials,
      string | undefined
    >
    await relay.open('carol', USD)
    const plugin = relay.accounts.get('carol')!.endpoint
    const connection = await createConnection({ plugin, destinationAccount, sharedSecret })
    await connection.createStream().sendTotal('300')
    await connection.end()
    expect(relay.balance('bob')).toBe(300n)
  })

  it('fails when the receiver closes the connection midway', async () => {
    await setUp()
    const server = await createServer({ plugin: await relay.open('carol', USD) })
    server.on('connection', (connection) => {
      connection.on('stream', (stream: DataAndMoneyStream) => {
        stream.setReceiveMax(400)
        stream.on('money', () => void connection.destroy())
      })
    })
    const credentials = server.generateAddressAndSecret()
    vi.spyOn(manager, 'spspCredentials').mockReturnValue(credentials)
    const view = await ended((await pay('1000', `${spsp.url}/carol`)).id)
    expect(view).toMatchObject({ state: 'failed', sent: relay.balance('carol').toString() })
    expect(BigInt(view.sent)).toBeLessThan(1000n)
    await server.close()
  })

  it('fails when the receiver has gone', async () => {
    await setUp({ stallTimeoutMs: 300 })
    await relay.accounts.get('bob')!.endpoint.disconnect()
    const view = await ended((await pay('1000')).id)
    expect(view).toMatchObject({ state: 'failed', sent: '0' })
    expect(view.message).toMatch(/T01 from test.relay/)
  })

  it('is paid by @interledger/pay through the payment URL', async () => {
    await setUp()
    const plugin = await relay.open('dave', { code: 'XRP', scale: 6 })
    const reply = await fetch(`${spsp.url}/bob`)
    const { destination_account, shared_secret } = (await reply.json()) as Record<string, string>
    await plugin.connect()
    const receiver = await setupPayment({
      plugin,
      destinationAddress: destination_account!,
      destinationAsset: XRP,
      sharedSecret: Buffer.from(shared_secret!, 'base64'),
    })
    const quote = await startQuote({
      plugin,
      destination: receiver,
      amountToSend: 98_765n,
      sourceAsset: XRP,
      slippage: 0,
    })
    const outcome = await payWith({ plugin, destination: receiver, quote })
    await closeConnection(plugin, receiver)
    expect(outcome.error).toBeUndefined()
    expect(outcome.amountDelivered).toBe(98_765n)
    expect(relay.balance('bob')).toBe(98_765n)
  })

  it('takes money from and pays to plain ilp-protocol-stream ends over local endpoints', async () => {
    await setUp()
    const server = await createServer({ plugin: await relay.open('carol', USD) })
    server.on('connection', (connection) => {
      connection.on('stream', (stream: DataAndMoneyStream) => stream.setReceiveMax(1_000_000))
    })
    const { destinationAccount, sharedSecret } = server.generateAddressAndSecret()
    const plugin = await relay.open('dave', USD)
    const connection = await createConnection({ plugin, destinationAccount, sharedSecret })
    await connection.createStream().sendTotal('4242')
    await connection.end()
    expect(relay.balance('carol')).toBe(4242n)
    await server.close()
  })
})

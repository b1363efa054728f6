import { deserializeIlpReject, serializeIlpPrepare } from 'ilp-packet'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { systemClock } from '../../../src/lib/clock.ts'
import { silentLogger } from '../../../src/lib/logger.ts'
import { StreamAccount } from '../../../src/payments/stream-account.ts'
import { Relay } from './relay.ts'

const USD = { code: 'USD', scale: 9 }

describe('StreamAccount', () => {
  let relay: Relay
  let account: StreamAccount

  const open = async (asset = USD) => {
    const endpoint = await relay.open('alice', USD)
    account = new StreamAccount(
      { id: 'alice', asset, serverSecret: Buffer.alloc(32, 1) },
      { endpoint, clock: systemClock, logger: silentLogger },
    )
    await account.start()
  }
  const ask = async (destination: string, amount = '0') => {
    const peer = relay.accounts.get('peer')?.endpoint ?? (await relay.open('peer', USD))
    await peer.connect()
    const prepare = { destination, amount, executionCondition: Buffer.alloc(32), data: Buffer.alloc(40) }
    const reply = await peer.sendData(
      serializeIlpPrepare({ ...prepare, expiresAt: new Date(Date.now() + 5_000) }),
    )
    return deserializeIlpReject(reply)
  }

  beforeEach(() => {
    relay = new Relay()
  })

  afterEach(async () => {
    await account.stop()
    await relay.stop()
  })

  it('rejects packets for now while it does not know its address', async () => {
    await open()
    expect(account.credentials()).toBeUndefined()
    expect(account.openSender()).toBeUndefined()
    expect((await ask('test.relay.alice.x')).code).toBe('T99')
  })

  it('does not serve when the node disagrees about the asset', async () => {
    await open({ code: 'EUR', scale: 2 })
    expect(await account.refresh()).toBe(false)
    expect(account.address).toBeUndefined()
  })

  it('gives every asker its own address and secret', async () => {
    await open()
    expect(await account.refresh()).toBe(true)
    const first = account.credentials()
    const second = account.credentials()
    expect(first?.destinationAccount).toMatch(/^test\.relay\.alice\.[A-Za-z0-9_-]+$/)
    expect(first?.destinationAccount).not.toBe(second?.destinationAccount)
    expect(first?.sharedSecret.equals(second?.sharedSecret ?? Buffer.alloc(0))).toBe(false)
    expect(first?.receiptsEnabled).toBe(false)
    const receipts = { nonce: Buffer.alloc(16), secret: Buffer.alloc(32) }
    expect(account.credentials(receipts)?.receiptsEnabled).toBe(true)
  })

  it('rejects what was not made for an address it gave out', async () => {
    await open()
    await account.refresh()
    for (const destination of [
      'test.relay.alice',
      'test.relay.alice.x',
      'test.relay.alice.__proto__',
      'test.relay.alice.constructor',
    ]) {
      expect((await ask(destination, '5')).code, destination).toMatch(/^F0/)
    }
    const { destinationAccount } = account.credentials()!
    expect((await ask(destinationAccount, '5')).code).toMatch(/^F0/)
    expect(relay.balance('alice')).toBe(0n)
  })

  it('gives a payment an address that ends with it', async () => {
    await open()
    await account.refresh()
    const slot = account.openSender()!
    slot.plugin.registerDataHandler(async () => {
      throw new Error('seen')
    })
    expect(slot.sourceAddress).toMatch(/^test\.relay\.alice\.[A-Za-z0-9_-]{16}$/)
    expect((await ask(slot.sourceAddress)).code).toBe('T01')
    slot.release()
    expect((await ask(slot.sourceAddress)).code).toBe('F02')
  })

  it('stops twice, and serves no more', async () => {
    await open()
    await account.refresh()
    await account.stop()
    await account.stop()
    expect(account.credentials()).toBeUndefined()
    expect(await account.refresh()).toBe(false)
    expect((await ask('test.relay.alice.x')).code).toBe('T01')
  })
})

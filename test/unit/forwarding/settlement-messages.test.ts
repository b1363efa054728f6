import { describe, expect, it } from 'vitest'
import { ErrorCode } from '../../../src/ilp/error-code.ts'
import { waitFor } from '../../compliance/wait-for.ts'
import { Harness } from './forwarder-harness.ts'

/** The two conditions that peers send: the hash of 32 zero bytes, and of nothing, which the RFC prints. */
const PREIMAGES = { zeros: Buffer.alloc(32), nothing: Buffer.alloc(0) }

async function scene() {
  const harness = await Harness.create()
  const alice = await harness.side('alice')
  const messages = harness.forwarder.settlementMessages
  const ask = (data: Buffer, options: { amount?: number; fulfillment?: Buffer; expiresInMs?: number } = {}) =>
    harness.send(alice, 'peer.settle', options.amount ?? 0, { data, ...options })
  const answerTo = async (handle: number) => {
    await waitFor('the answer', () => harness.reply(alice, handle) !== undefined)
    return harness.reply(alice, handle)!
  }
  return { harness, alice, messages, ask, answerTo }
}

describe('a settlement message of a peer', () => {
  it.each(Object.entries(PREIMAGES))(
    'is answered by the engine, with the condition of %s',
    async (_, preimage) => {
      const { messages, ask, answerTo } = await scene()
      const heard: [string, string][] = []
      messages.handler = async (account, message) => {
        heard.push([account.id, message.toString()])
        return { data: Buffer.from('pong') }
      }
      const reply = await answerTo(ask(Buffer.from('ping'), { fulfillment: preimage }))
      expect(heard).toEqual([['alice', 'ping']])
      expect(reply).toEqual({ fulfillment: Buffer.alloc(32), data: Buffer.from('pong') })
    },
  )

  it('keeps its bytes although the buffer it came in is used again', async () => {
    const { harness, alice, messages, ask, answerTo } = await scene()
    const gate = Promise.withResolvers<void>()
    messages.handler = async (_, message) => {
      await gate.promise
      return { data: message }
    }
    const first = ask(Buffer.from('first'))
    harness.send(alice, 'peer.nothing', 0, { data: Buffer.from('XXXXX') })
    gate.resolve()
    expect(await answerTo(first)).toMatchObject({ data: Buffer.from('first') })
  })

  it('gets F00 where no engine is', async () => {
    const { harness, alice, ask } = await scene()
    expect(harness.code(alice, ask(Buffer.from('x')))).toBe('F00')
  })

  it('gets F00 when it carries money, and the engine hears nothing', async () => {
    const { harness, alice, messages, ask } = await scene()
    let heard = 0
    messages.handler = async () => {
      heard++
      return { data: Buffer.alloc(0) }
    }
    expect(harness.code(alice, ask(Buffer.from('x'), { amount: 5 }))).toBe('F00')
    expect(heard).toBe(0)
  })

  it('gets what the engine refuses it with, T00 when the engine fails, and T00 for an answer that is too long', async () => {
    const { messages, ask, answerTo } = await scene()
    messages.handler = async () => ({ code: ErrorCode.badRequest, message: 'stale: older than the last' })
    expect(await answerTo(ask(Buffer.from('a')))).toMatchObject({
      code: 'F00',
      message: 'stale: older than the last',
    })
    messages.handler = () => Promise.reject(new Error('secret of the engine'))
    expect(await answerTo(ask(Buffer.from('b')))).toMatchObject({
      code: 'T00',
      message: 'the settlement engine did not answer',
    })
    messages.handler = async () => ({ data: Buffer.alloc(32_768) })
    expect(await answerTo(ask(Buffer.from('c')))).toMatchObject({ code: 'T00' })
  })

  it('gets T00 when it expires before the engine answers', async () => {
    const { messages, ask, answerTo } = await scene()
    messages.handler = () => new Promise(() => undefined)
    expect(await answerTo(ask(Buffer.from('x'), { expiresInMs: 20 }))).toMatchObject({ code: 'T00' })
  })

  it('is answered however far its expiry lies', async () => {
    const { messages, ask, answerTo } = await scene()
    const gate = Promise.withResolvers<void>()
    messages.handler = async () => {
      await gate.promise
      return { data: Buffer.from('in good time') }
    }
    // Beyond what a timer of Node can wait: it would go off at once.
    const handle = ask(Buffer.from('x'), { expiresInMs: 2 ** 31 + 1_000 })
    await new Promise((resolve) => setTimeout(resolve, 20))
    gate.resolve()
    expect(await answerTo(handle)).toMatchObject({ data: Buffer.from('in good time') })
  })

  it('gets T03 while very many of the same peer are open, and others are served', async () => {
    const { harness, alice, messages, ask, answerTo } = await scene()
    const bob = await harness.side('bob')
    const gate = Promise.withResolvers<void>()
    messages.handler = async () => {
      await gate.promise
      return { data: Buffer.from('late') }
    }
    const open = Array.from({ length: 32 }, () => ask(Buffer.from('x')))
    expect(harness.code(alice, ask(Buffer.from('y')))).toBe('T03')
    const other = harness.send(bob, 'peer.settle', 0, { data: Buffer.from('z') })
    expect(harness.code(bob, other)).toBeUndefined()
    gate.resolve()
    for (const handle of open) expect(await answerTo(handle)).toMatchObject({ data: Buffer.from('late') })
    expect(await answerTo(ask(Buffer.from('again')))).toMatchObject({ data: Buffer.from('late') })
    expect(harness.stats.packetsInFlight).toBe(0)
  })

  it('counts as long as its engine works on it, though it has expired', async () => {
    const { harness, alice, messages, ask, answerTo } = await scene()
    const gate = Promise.withResolvers<void>()
    messages.handler = async () => {
      await gate.promise
      return { data: Buffer.from('in vain') }
    }
    for (const handle of Array.from({ length: 32 }, () => ask(Buffer.from('x'), { expiresInMs: 20 }))) {
      expect(await answerTo(handle)).toMatchObject({ code: 'T00' })
    }
    expect(harness.code(alice, ask(Buffer.from('y')))).toBe('T03')
    gate.resolve()
    await waitFor('there is room again', () => harness.code(alice, ask(Buffer.from('z'))) === undefined)
  })

  it('gets T05 when there are too many per second, and others are served', async () => {
    const { harness, alice, messages, ask, answerTo } = await scene()
    const bob = await harness.side('bob')
    let heard = 0
    messages.handler = async () => {
      heard++
      return { data: Buffer.alloc(0) }
    }
    for (let index = 0; index < 200; index++) {
      expect(await answerTo(ask(Buffer.from('x')))).toHaveProperty('fulfillment')
    }
    expect(harness.code(alice, ask(Buffer.from('x')))).toBe('T05')
    const other = harness.send(bob, 'peer.settle', 0, { data: Buffer.from('y') })
    await waitFor('the answer', () => harness.reply(bob, other) !== undefined)
    expect(harness.reply(bob, other)).toHaveProperty('fulfillment')
    expect(heard).toBe(201)
  })
})

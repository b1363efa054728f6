import { deserializeIlpPrepare, serializeIlpReply } from 'ilp-packet'
import { describe, expect, it } from 'vitest'
import { PeerMessageError } from '../../../src/settlement/engine.ts'
import { PeerMessenger } from '../../../src/settlement/peer-messenger.ts'

const NOW = Date.UTC(2026, 0, 1)

function messenger(answer: (packet: Buffer) => Promise<Buffer>) {
  const sent: { accountId: string; packet: Buffer }[] = []
  const request = (accountId: string, packet: Buffer) => {
    sent.push({ accountId, packet })
    return answer(packet)
  }
  return { sent, messenger: new PeerMessenger({ request, clock: { now: () => NOW } }) }
}

const fulfill = (data: Buffer) => serializeIlpReply({ fulfillment: Buffer.alloc(32), data })
const reject = (code: string, message: string) =>
  serializeIlpReply({ code, message, triggeredBy: 'test.peer', data: Buffer.alloc(0) })

async function refusalOf(answer: Buffer): Promise<PeerMessageError> {
  const { messenger: own } = messenger(async () => answer)
  const error: unknown = await own.send('alice', Buffer.from('x')).catch((reason: unknown) => reason)
  expect(error).toBeInstanceOf(PeerMessageError)
  return error as PeerMessageError
}

describe('a settlement message to a peer', () => {
  it('is a Prepare of no value to peer.settle, whose condition 32 zero bytes satisfy', async () => {
    const { sent, messenger: own } = messenger(async () => fulfill(Buffer.from('pong')))
    expect(await own.send('alice', Buffer.from('ping'))).toEqual(Buffer.from('pong'))
    const { amount, destination, executionCondition, expiresAt, data } = deserializeIlpPrepare(
      sent[0]!.packet,
    )
    expect({ amount, destination, data: data.toString() }).toEqual({
      amount: '0',
      destination: 'peer.settle',
      data: 'ping',
    })
    expect(executionCondition.toString('hex')).toBe(
      '66687aadf862bd776c8fc18b8e9f8e20089714856ee233b3902a591d0d5f2925',
    )
    expect(expiresAt.getTime()).toBe(NOW + 30_000)
  })

  it('tells the code with which the engine of the peer refused it, and only then', async () => {
    expect((await refusalOf(reject('F00', 'stale: older than the last'))).refusal).toBe('stale')
    expect((await refusalOf(reject('T00', 'stale: not from the engine'))).refusal).toBeUndefined()
    expect((await refusalOf(reject('R00', 'no reply before the packet expired'))).refusal).toBeUndefined()
    expect((await refusalOf(reject('F00', 'No code here'))).refusal).toBeUndefined()
  })

  it('quotes little of what the peer says, and nothing that could forge a line of the log', async () => {
    const words = `stale: ${'older\n\u001b[31m than '.repeat(200)}`
    const { message, refusal } = await refusalOf(reject('F00', words))
    expect(refusal).toBe('stale')
    expect(message).toMatch(/^the peer answered F00 stale: older [\x20-\x7e]+$/)
    expect(message.length).toBeLessThan(300)
  })

  it('fails without a code when the answer is no ILP reply, none comes, or the message is too long', async () => {
    expect((await refusalOf(Buffer.from('rubbish'))).refusal).toBeUndefined()
    const { messenger: own } = messenger(() => Promise.reject(new Error('not connected')))
    await expect(own.send('alice', Buffer.from('x'))).rejects.toThrow(/could not be sent: not connected/)
    const { sent, messenger: other } = messenger(async () => fulfill(Buffer.alloc(0)))
    await expect(other.send('alice', Buffer.alloc(32_768))).rejects.toThrow(PeerMessageError)
    expect(sent).toHaveLength(0)
  })
})

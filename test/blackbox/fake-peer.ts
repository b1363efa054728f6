import { createHash, randomBytes } from 'node:crypto'
import {
  deserializeIlpReply,
  type IlpPrepare,
  type IlpReply,
  serializeIlpPrepare,
  serializeIlpReply,
} from 'ilp-packet'

/** What a scripted peer does with a Prepare: `undefined` means that it never answers. */
export type Behaviour = (packet: Buffer) => Promise<Buffer | undefined> | Buffer | undefined

/** A peer that speaks one protocol with a library other than ours and does what the test tells it. */
export interface FakePeer {
  /** Sends a packet and resolves with the reply. */
  send(packet: Buffer): Promise<Buffer>
  behaviour: Behaviour
  /** Prepares received so far. */
  readonly received: Buffer[]
  close(): Promise<void>
  connect(): Promise<void>
}

export interface TestPacket {
  prepare: Buffer
  fulfillment: Buffer
}

/** A packet with a fresh condition. */
export function makePacket(
  destination: string,
  fields: Partial<Pick<IlpPrepare, 'amount' | 'data'>> & { expiresInMs?: number } = {},
): TestPacket {
  const fulfillment = randomBytes(32)
  const prepare = serializeIlpPrepare({
    amount: fields.amount ?? '100',
    executionCondition: createHash('sha256').update(fulfillment).digest(),
    expiresAt: new Date(Date.now() + (fields.expiresInMs ?? 20_000)),
    destination,
    data: fields.data ?? Buffer.alloc(0),
  })
  return { prepare, fulfillment }
}

export function fulfill(fulfillment: Buffer, data: Buffer = Buffer.alloc(0)): Buffer {
  return serializeIlpReply({ fulfillment, data })
}

export function reject(code: string, message = ''): Buffer {
  return serializeIlpReply({ code, message, triggeredBy: 'test.someone', data: Buffer.alloc(0) })
}

/** The code of a Reject, or `fulfilled`. */
export function verdict(packet: Buffer): string {
  const reply: IlpReply = deserializeIlpReply(packet)
  return 'code' in reply ? reply.code : 'fulfilled'
}

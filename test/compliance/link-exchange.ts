import { expect } from 'vitest'
import { type Link, SendOutcome } from '../../src/peers/link.ts'
import type { RecordingReceiver } from './recording-receiver.ts'
import { waitFor } from './wait-for.ts'

/** One direction between two links. */
export interface Exchange {
  from: Link
  fromReceiver: RecordingReceiver
  to: Link
  toReceiver: RecordingReceiver
}

/** Sends one prepare, answers it, and checks that both arrived byte for byte. */
export async function exchange(
  { from, fromReceiver, to, toReceiver }: Exchange,
  { token, prepare, reply }: { token: number; prepare: Buffer; reply: Buffer },
): Promise<void> {
  const prepares = toReceiver.prepares.length
  const replies = fromReceiver.replies.length
  expect(from.sendPrepare(token, prepare, 0, prepare.length, Date.now() + 30_000)).toBe(SendOutcome.sent)
  await waitFor(`the prepare with token ${token}`, () => toReceiver.prepares.length > prepares)
  const request = toReceiver.prepares[prepares]!
  expect(request.packet.equals(prepare), 'the prepare arrives unchanged').toBe(true)
  to.sendReply(request.handle, reply, 0, reply.length)
  await waitFor(`the reply to token ${token}`, () => fromReceiver.replies.length > replies)
  const answer = fromReceiver.replies[replies]!
  expect(answer.token).toBe(token)
  expect(answer.packet.equals(reply), 'the reply arrives unchanged').toBe(true)
}

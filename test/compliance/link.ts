import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type Link, type LinkConfigError, type LinkReceiver, SendOutcome } from '../../src/peers/link.ts'
import { type Exchange, exchange } from './link-exchange.ts'
import { patternPacket } from './pattern-packet.ts'
import { RecordingReceiver } from './recording-receiver.ts'
import { waitFor } from './wait-for.ts'

/** A link whose other end is played by the test, to send what no sound peer would. */
export interface ScriptedRemote {
  /** The link under test: started and connected when this is handed over. */
  link: Link
  /** Each makes the remote end break the protocol once; `protocolError` must follow. */
  rubbish: readonly { name: string; send(): void | Promise<void> }[]
  /** Sends a well-formed Fulfill as the answer to `token`, whether or not that request is open. Optional. */
  answer?(token: number, packet: Buffer): void | Promise<void>
  close(): Promise<void>
}

/** Options that `openLink` must refuse. */
export interface BadOptions {
  name: string
  options: Record<string, unknown>
  /** What `LinkConfigError.path` must be. */
  path: string
}

/** Two links of the plugin under test, joined by the plugin's real transport on loopback. */
export interface LinkHarness {
  /** Given the receiver `near` of `makeHarness`; not started. */
  near: Link
  /** Given the receiver `far`; not started. */
  far: Link
  /**
   * Breaks the transport as a network would, without a word to either link. Both must notice, and must find each
   * other again by themselves. Leave it out for a protocol without connections.
   */
  cut?(): void | Promise<void>
  scripted?(receiver: LinkReceiver): Promise<ScriptedRemote>
  /** Opens a link with these options, to see it refused. */
  openWith(options: Record<string, unknown>): Link
  badOptions: readonly BadOptions[]
  /**
   * How many requests may stay unanswered at once: the far end answers in random order whenever so many are open.
   * Default 10,000; a protocol with one request per socket says less.
   */
  openRequestsMax?: number
  /** Stops whatever the harness started besides the two links. */
  close(): Promise<void>
}

export type MakeLinkHarness = (near: LinkReceiver, far: LinkReceiver) => Promise<LinkHarness>

const PREPARE_LENGTH_MAX = 33_857
const FULFILL_LENGTH_MAX = 32_806
const REJECT_LENGTH_MAX = 41_997
const TOKENS = 10_000
/** Tokens at the borders of signed and unsigned arithmetic; 0xffff0000 and above are never given out. */
const EDGE_TOKENS = [0, 1, 0x7fff_ffff, 0x8000_0000, 0xfffe_ffff]
const STOP_MS_MAX = 5_000
const inTheFuture = () => Date.now() + 30_000

/**
 * The suite every peer plugin passes: what the node relies on in `src/peers/link.ts`, checked over the contract
 * alone. Call it at the top level of a test file.
 */
export function linkCompliance(name: string, makeHarness: MakeLinkHarness): void {
  describe(`${name} keeps the link contract`, () => {
    let near: RecordingReceiver
    let far: RecordingReceiver
    let harness: LinkHarness

    beforeEach(async () => {
      near = new RecordingReceiver()
      far = new RecordingReceiver()
      harness = await makeHarness(near, far)
    })

    afterEach(async () => {
      await harness.near.stop()
      await harness.far.stop()
      await harness.close()
    })

    const connect = async () => {
      await harness.far.start()
      await harness.near.start()
      await waitFor('both links connected', () => harness.near.connected && harness.far.connected)
    }
    const forward = (): Exchange => ({
      from: harness.near,
      fromReceiver: near,
      to: harness.far,
      toReceiver: far,
    })
    const backward = (): Exchange => ({
      from: harness.far,
      fromReceiver: far,
      to: harness.near,
      toReceiver: near,
    })

    it('carries prepares and replies byte for byte in both directions', async () => {
      await connect()
      for (const direction of [forward(), backward()]) {
        for (const [token, length] of [10, 127, 128, 255, 256, 500, 32_767].entries()) {
          await exchange(direction, {
            token,
            prepare: patternPacket(12, length),
            reply: patternPacket(13, length),
          })
        }
      }
    })

    it('carries the largest prepare, fulfill and reject', async () => {
      await connect()
      for (const direction of [forward(), backward()]) {
        const prepare = patternPacket(12, PREPARE_LENGTH_MAX)
        await exchange(direction, { token: 1, prepare, reply: patternPacket(13, FULFILL_LENGTH_MAX) })
        await exchange(direction, { token: 2, prepare, reply: patternPacket(14, REJECT_LENGTH_MAX) })
      }
    })

    it('sends a part of a larger buffer, and does not need the buffer after the call', async () => {
      await connect()
      const packet = patternPacket(12, 300)
      const larger = Buffer.alloc(1_000, 0xee)
      packet.copy(larger, 77)
      expect(harness.near.sendPrepare(5, larger, 77, 377, inTheFuture())).toBe(SendOutcome.sent)
      larger.fill(0)
      await waitFor('the prepare', () => far.prepares.length === 1)
      expect(far.prepares[0]!.packet.equals(packet)).toBe(true)

      const reply = patternPacket(14, 300)
      reply.copy(larger, 33)
      harness.far.sendReply(far.prepares[0]!.handle, larger, 33, 333)
      larger.fill(0)
      await waitFor('the reply', () => near.replies.length === 1)
      expect(near.replies[0]!.packet.equals(reply)).toBe(true)
    })

    it('takes tokens up to the edge of 32 bits', async () => {
      await connect()
      for (const token of EDGE_TOKENS) {
        await exchange(forward(), { token, prepare: patternPacket(12, 64), reply: patternPacket(13, 64) })
      }
    })

    it(`gives each of ${TOKENS} answers, in any order, to its own token`, async () => {
      await connect()
      const openMax = harness.openRequestsMax ?? TOKENS
      let answered = 0
      const answerOpen = () => {
        const open = far.prepares.splice(0)
        answered += open.length
        for (let left = open.length; left > 0; left--) {
          const [request] = open.splice(Math.floor(Math.random() * left), 1)
          const reply = patternPacket(13, 40)
          request!.packet.copy(reply, 1, 1, 5)
          harness.far.sendReply(request!.handle, reply, 0, reply.length)
        }
      }
      let next = 0
      await waitFor(
        'all answers',
        () => {
          for (; next < TOKENS && next - answered < openMax; next++) {
            const packet = patternPacket(12, 64)
            packet.writeUInt32BE(next, 1)
            const outcome = harness.near.sendPrepare(next, packet, 0, packet.length, inTheFuture())
            if (outcome === SendOutcome.busy) break
            expect(outcome).toBe(SendOutcome.sent)
          }
          if (far.prepares.length >= Math.min(openMax, next - answered)) answerOpen()
          return near.replies.length === TOKENS
        },
        25_000,
      )
      expect(near.failures).toEqual([])
      expect(near.replies.filter((reply) => reply.packet.readUInt32BE(1) !== reply.token)).toEqual([])
      expect(new Set(near.replies.map((reply) => reply.token)).size).toBe(TOKENS)
    }, 30_000)

    it('does not send before start, nor after stop', async () => {
      const packet = patternPacket(12, 64)
      expect(harness.near.sendPrepare(1, packet, 0, packet.length, inTheFuture())).toBe(
        SendOutcome.unreachable,
      )
      await connect()
      await harness.near.stop()
      expect(harness.near.connected).toBe(false)
      expect(harness.near.sendPrepare(2, packet, 0, packet.length, inTheFuture())).toBe(
        SendOutcome.unreachable,
      )
      harness.near.sendReply(1, packet, 0, packet.length)
      expect(far.prepares).toEqual([])
    })

    it('tells about an unreachable peer: at once or by a failure, never by an answer', async () => {
      await harness.near.start()
      const packet = patternPacket(12, 64)
      const outcome = harness.near.sendPrepare(1, packet, 0, packet.length, inTheFuture())
      if (outcome === SendOutcome.sent) {
        await waitFor('the failure', () => near.failures.length === 1)
        expect(near.failures[0]).toMatchObject({ token: 1, failure: 'unreachable' })
      } else {
        expect(outcome).toBe(SendOutcome.unreachable)
      }
      expect(near.replies).toEqual([])
    })

    it('answers a request once: a second reply and a reply to no request are ignored', async () => {
      await connect()
      const prepare = patternPacket(12, 64)
      harness.near.sendPrepare(9, prepare, 0, prepare.length, inTheFuture())
      await waitFor('the prepare', () => far.prepares.length === 1)
      const { handle } = far.prepares[0]!
      const reply = patternPacket(13, 64)
      harness.far.sendReply(handle, reply, 0, reply.length)
      harness.far.sendReply(handle, reply, 0, reply.length)
      harness.far.sendReply(handle + 1, reply, 0, reply.length)
      await waitFor('the reply', () => near.replies.length > 0)
      await exchange(forward(), { token: 10, prepare, reply })
      expect(near.replies.map((each) => each.token)).toEqual([9, 10])
      expect(near.failures).toEqual([])
    })

    it('uses safe integers as handles, and none twice', async () => {
      await connect()
      const prepare = patternPacket(12, 64)
      for (let token = 0; token < 20; token++) {
        harness.near.sendPrepare(token, prepare, 0, prepare.length, inTheFuture())
      }
      await waitFor('the prepares', () => far.prepares.length === 20)
      const handles = far.prepares.map((request) => request.handle)
      expect(handles.every(Number.isSafeInteger)).toBe(true)
      expect(new Set(handles).size).toBe(20)
    })

    it('states truthfully whether it is connected', async () => {
      const before = Date.now()
      expect(harness.near.status().connected).toBe(false)
      await connect()
      const status = harness.near.status()
      expect(status.connected).toBe(true)
      expect(status.connected).toBe(harness.near.connected)
      expect(status.lastError).toBeUndefined()
      if (status.changedAtMs !== undefined) expect(status.changedAtMs).toBeGreaterThanOrEqual(before)
      expect(near.connections).toBeGreaterThanOrEqual(1)
      await harness.near.stop()
      expect(harness.near.status().connected).toBe(false)
    })

    it('stops twice, within bounded time, and is silent afterwards', async () => {
      await connect()
      const prepare = patternPacket(12, 64)
      harness.far.sendPrepare(3, prepare, 0, prepare.length, inTheFuture())
      await waitFor('the prepare', () => near.prepares.length === 1)
      const startedAt = performance.now()
      await harness.near.stop()
      await harness.near.stop()
      expect(performance.now() - startedAt).toBeLessThan(STOP_MS_MAX)
      const calls = near.calls
      harness.near.sendReply(near.prepares[0]!.handle, prepare, 0, prepare.length)
      harness.far.sendPrepare(4, prepare, 0, prepare.length, inTheFuture())
      await harness.far.stop()
      expect(near.calls).toBe(calls)
    })

    it('stops without having been started', async () => {
      await harness.near.stop()
      expect(harness.near.connected).toBe(false)
    })

    it('finds the peer again after the connection broke, and voids what was open', async () => {
      await connect()
      if (harness.cut === undefined) return
      const prepare = patternPacket(12, 64)
      const reply = patternPacket(13, 64)
      harness.near.sendPrepare(7, prepare, 0, prepare.length, inTheFuture())
      await waitFor('the prepare', () => far.prepares.length === 1)
      const stale = far.prepares[0]!.handle
      const disconnections = [near.disconnections.length, far.disconnections.length]
      await harness.cut()
      await waitFor(
        'both links to notice and to reconnect',
        () =>
          near.disconnections.length > disconnections[0]! &&
          far.disconnections.length > disconnections[1]! &&
          harness.near.connected &&
          harness.far.connected,
      )
      expect(near.connections).toBeGreaterThanOrEqual(2)
      expect(far.connections).toBeGreaterThanOrEqual(2)
      far.prepares.length = 0
      harness.far.sendReply(stale, reply, 0, reply.length)
      await exchange(forward(), { token: 8, prepare, reply })
      await exchange(backward(), { token: 8, prepare, reply })
      expect(near.replies.map((each) => each.token)).toEqual([8])
      expect(near.failures.every((each) => each.token === 7 && each.failure === 'unreachable')).toBe(true)
    })

    it('survives rubbish from the peer and counts it', async () => {
      if (harness.scripted === undefined) return
      const receiver = new RecordingReceiver()
      const remote = await harness.scripted(receiver)
      try {
        for (const rubbish of remote.rubbish) {
          await waitFor('the link to be connected', () => remote.link.connected)
          const counted = receiver.protocolErrors.length
          await rubbish.send()
          await waitFor(`"${rubbish.name}" to be counted`, () => receiver.protocolErrors.length > counted)
        }
        expect(receiver.prepares).toEqual([])
        expect(receiver.replies).toEqual([])
        expect(receiver.failures).toEqual([])
      } finally {
        await remote.close()
      }
    })

    it('drops answers nobody waits for', async () => {
      if (harness.scripted === undefined) return
      const receiver = new RecordingReceiver()
      const remote = await harness.scripted(receiver)
      try {
        if (remote.answer === undefined) return
        const counted = receiver.protocolErrors.length
        await remote.answer(4_242, patternPacket(13, 64))
        await waitFor('the answer to be counted', () => receiver.protocolErrors.length > counted)
        expect(receiver.replies).toEqual([])
      } finally {
        await remote.close()
      }
    })

    it('refuses options that cannot work, and says where', () => {
      expect(harness.badOptions.length).toBeGreaterThan(0)
      for (const bad of harness.badOptions) {
        let thrown: unknown
        try {
          harness.openWith(bad.options)
        } catch (error) {
          thrown = error
        }
        // By name: a plugin of its own package has its own copy of the class.
        expect(thrown, bad.name).toMatchObject({ name: 'LinkConfigError' })
        expect((thrown as LinkConfigError).path, bad.name).toBe(bad.path)
        expect((thrown as LinkConfigError).message.length, bad.name).toBeGreaterThan(10)
      }
    })
  })
}

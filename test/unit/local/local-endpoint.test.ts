import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { LocalEndpoint } from '../../../plugins/local/local-endpoint.ts'
import { createPlugin } from '../../../plugins/local/plugin.ts'
import { silentLogger } from '../../../src/lib/logger.ts'
import { type Link, LinkConfigError, type Plugin, SendOutcome } from '../../../src/peers/link.ts'
import { RecordingReceiver } from '../../compliance/recording-receiver.ts'

const PACKET = Buffer.from([12, 1, 2, 3])
const REPLY = Buffer.from([13, 4, 5])

describe('LocalEndpoint', () => {
  let nowMs: number
  let endpoint: LocalEndpoint
  let receiver: RecordingReceiver
  let plugin: Plugin
  let link: Link

  const openLink = () =>
    plugin.openLink({
      accountId: 'alice',
      relation: 'local',
      assetCode: 'USD',
      assetScale: 9,
      options: { plugin: 'local', endpoint },
      receiver,
    })
  const send = (token: number) => link.sendPrepare(token, PACKET, 0, PACKET.length, nowMs + 1_000)

  beforeEach(() => {
    vi.useFakeTimers()
    nowMs = 1_000_000
    endpoint = new LocalEndpoint()
    receiver = new RecordingReceiver()
    plugin = createPlugin({}, { clock: { now: () => nowMs }, logger: silentLogger, random: () => 0 })
    link = openLink()
  })

  afterEach(async () => {
    await plugin.stop()
    vi.useRealTimers()
  })

  const connect = async () => {
    await link.start()
    await endpoint.connect()
  }

  it('is connected once the node has started the link and the program has connected, in any order', async () => {
    expect(endpoint.isConnected()).toBe(false)
    await endpoint.connect()
    expect(link.connected).toBe(false)
    expect(receiver.connections).toBe(0)
    await link.start()
    expect(receiver.connections).toBe(1)
    expect(endpoint.isConnected()).toBe(true)
    await endpoint.disconnect()
    expect(receiver.disconnections).toHaveLength(1)
    expect(link.status().lastError).toMatch(/has not connected/)
    await endpoint.connect()
    await endpoint.connect()
    expect(receiver.connections).toBe(2)
  })

  it('gives packets to the handler and its reply to the node', async () => {
    await connect()
    const seen: Buffer[] = []
    endpoint.registerDataHandler(async (packet) => {
      seen.push(packet)
      return REPLY
    })
    expect(send(7)).toBe(SendOutcome.sent)
    await vi.waitFor(() => expect(receiver.replies).toEqual([{ token: 7, packet: REPLY }]))
    expect(seen).toEqual([PACKET])
  })

  it('sends packets to the node and resolves to the reply, leaving the buffer alone', async () => {
    await connect()
    const mine = Buffer.from(PACKET)
    const reply = endpoint.sendData(mine)
    await vi.waitFor(() => expect(receiver.prepares).toHaveLength(1))
    link.sendReply(receiver.prepares[0]!.handle, REPLY, 0, REPLY.length)
    expect(await reply).toEqual(REPLY)
    expect(mine).toEqual(PACKET)
  })

  it('is unreachable while nobody handles packets', async () => {
    await connect()
    expect(send(1)).toBe(SendOutcome.unreachable)
    endpoint.registerDataHandler(async () => REPLY)
    expect(() => endpoint.registerDataHandler(async () => REPLY)).toThrow(/already/)
    endpoint.deregisterDataHandler()
    expect(send(1)).toBe(SendOutcome.unreachable)
  })

  it('reports a handler that throws, rejects or answers no bytes, for that packet alone', async () => {
    await connect()
    const answers: (() => unknown)[] = [
      () => {
        throw new Error('thrown')
      },
      () => Promise.reject(new Error('rejected')),
      () => Promise.resolve(undefined),
      () => Promise.resolve('text'),
      () => Promise.resolve(REPLY),
    ]
    endpoint.registerDataHandler((() => answers.shift()?.()) as () => Promise<Buffer>)
    for (let token = 0; token < 5; token++) send(token)
    await vi.waitFor(() => expect(receiver.replies).toEqual([{ token: 4, packet: REPLY }]))
    await vi.waitFor(() => expect(receiver.failures).toHaveLength(4))
    const failures = receiver.failures.toSorted((a, b) => a.token - b.token)
    expect(failures.map(({ failure }) => failure)).toEqual([
      'unreachable',
      'unreachable',
      'bad-answer',
      'bad-answer',
    ])
    expect(failures[0]?.message).toMatch(/thrown/)
  })

  it('lets a packet go at its expiry when the handler hangs, and ignores its late reply', async () => {
    await connect()
    let answer: (reply: Buffer) => void = () => undefined
    endpoint.registerDataHandler(
      () =>
        new Promise((resolve) => {
          answer = resolve
        }),
    )
    for (let token = 0; token < 65_536; token++) send(token)
    expect(send(70_000)).toBe(SendOutcome.busy)
    nowMs += 1_001
    await vi.advanceTimersByTimeAsync(1_000)
    expect(send(70_001)).toBe(SendOutcome.sent)
    answer(REPLY)
    await vi.waitFor(() => expect(receiver.replies.map(({ token }) => token)).toEqual([70_001]))
    expect(receiver.failures).toEqual([])
  })

  it('gives up a request that the node never answers', async () => {
    await connect()
    const reply = endpoint.sendData(PACKET).catch((error: Error) => error.message)
    nowMs += 330_001
    await vi.advanceTimersByTimeAsync(1_000)
    expect(await reply).toMatch(/no answer/)
  })

  it('fails what is open when the program disconnects or the node closes the link', async () => {
    await connect()
    endpoint.registerDataHandler(() => new Promise(() => undefined))
    send(1)
    const first = endpoint.sendData(PACKET).catch((error: Error) => error.message)
    await endpoint.disconnect()
    expect(await first).toMatch(/disconnected/)
    expect(receiver.failures).toMatchObject([{ token: 1, failure: 'unreachable' }])
    await expect(endpoint.sendData(PACKET)).rejects.toThrow(/not connected/)
    await endpoint.connect()
    const second = endpoint.sendData(PACKET).catch((error: Error) => error.message)
    await link.stop()
    expect(await second).toMatch(/closed/)
    await expect(endpoint.sendData(PACKET)).rejects.toThrow(/not connected/)
  })

  it('can be given to another link once the first has stopped', async () => {
    await connect()
    expect(openLink).toThrow(LinkConfigError)
    await link.stop()
    link = openLink()
    await link.start()
    expect(endpoint.isConnected()).toBe(true)
    expect(receiver.connections).toBe(2)
  })

  it('refuses options of the plugin', () => {
    const deps = { clock: { now: () => 0 }, logger: silentLogger, random: () => 0 }
    expect(() => createPlugin({ port: 1 }, deps)).toThrow(/no option "port"/)
    expect(plugin.listening()).toEqual([])
  })
})

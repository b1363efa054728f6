import { once } from 'node:events'
import * as btp from 'btp-packet'
import WebSocket from 'ws'
import type { Behaviour, FakePeer } from './fake-peer.ts'

const {
  deserialize,
  serialize,
  TYPE_ERROR,
  TYPE_MESSAGE,
  TYPE_RESPONSE,
  MIME_APPLICATION_OCTET_STREAM,
  MIME_TEXT_PLAIN_UTF8,
} = btp

/** A BTP client made of npm ws and npm btp-packet. */
export class BtpPeer implements FakePeer {
  behaviour: Behaviour = () => undefined
  readonly received: Buffer[] = []
  readonly #url: string
  readonly #token: string
  readonly #waiting = new Map<number, { resolve: (packet: Buffer) => void; reject: (error: Error) => void }>()
  #socket: WebSocket | undefined
  #nextId = 1

  constructor(options: { url: string; token: string }) {
    this.#url = options.url
    this.#token = options.token
  }

  async connect(): Promise<void> {
    const socket = new WebSocket(this.#url, { perMessageDeflate: false })
    this.#socket = socket
    socket.on('message', (data) => void this.#onFrame(data as Buffer))
    socket.on('error', () => undefined)
    socket.once('close', () => this.#connectionLost())
    await once(socket, 'open')
    await this.#request([
      entry('auth', Buffer.alloc(0)),
      { protocolName: 'auth_token', contentType: MIME_TEXT_PLAIN_UTF8, data: Buffer.from(this.#token) },
    ])
  }

  async close(): Promise<void> {
    const socket = this.#socket
    if (socket === undefined || socket.readyState === WebSocket.CLOSED) return
    socket.terminate()
    await once(socket, 'close')
  }

  /** Resolves when the connection is gone, whoever ended it; all that had come before has been read. */
  async closed(): Promise<void> {
    const socket = this.#socket
    if (socket !== undefined && socket.readyState !== WebSocket.CLOSED) await once(socket, 'close')
  }

  send(packet: Buffer): Promise<Buffer> {
    return this.#request([entry('ilp', packet)])
  }

  /** Sends a packet under a request id of the caller's choice, without waiting. */
  sendRaw(requestId: number, packet: Buffer): void {
    const data = { protocolData: [entry('ilp', packet)] }
    this.#socket!.send(serialize({ type: TYPE_MESSAGE, requestId, data }))
  }

  /** Answers a request that may never have been made. */
  answerRaw(requestId: number, packet: Buffer): void {
    const data = { protocolData: [entry('ilp', packet)] }
    this.#socket!.send(serialize({ type: TYPE_RESPONSE, requestId, data }))
  }

  #request(protocolData: ReturnType<typeof entry>[]): Promise<Buffer> {
    const requestId = this.#nextId++
    return new Promise((resolve, reject) => {
      if (this.#socket!.readyState !== WebSocket.OPEN) return reject(new Error('connection closed'))
      this.#waiting.set(requestId, { resolve, reject })
      this.#socket!.send(serialize({ type: TYPE_MESSAGE, requestId, data: { protocolData } }))
    })
  }

  #connectionLost(): void {
    const waiting = [...this.#waiting.values()]
    this.#waiting.clear()
    for (const { reject } of waiting) reject(new Error('connection closed'))
  }

  async #onFrame(frame: Buffer): Promise<void> {
    const message = deserialize(frame)
    if (message.type === TYPE_MESSAGE) {
      const packet = message.data.protocolData[0]!.data
      this.received.push(packet)
      const reply = await this.behaviour(packet)
      if (reply !== undefined) this.answerRaw(message.requestId, reply)
      return
    }
    const waiting = this.#waiting.get(message.requestId)
    this.#waiting.delete(message.requestId)
    if (message.type === TYPE_ERROR) waiting?.reject(new Error('BTP error'))
    else waiting?.resolve(message.data.protocolData[0]?.data ?? Buffer.alloc(0))
  }
}

function entry(
  protocolName: string,
  data: Buffer,
): { protocolName: string; contentType: number; data: Buffer } {
  return { protocolName, contentType: MIME_APPLICATION_OCTET_STREAM, data }
}

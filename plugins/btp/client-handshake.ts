import { randomBytes } from 'node:crypto'
import { type ClientRequest, request as httpRequest, type RequestOptions } from 'node:http'
import { request as httpsRequest } from 'node:https'
import type { Socket } from 'node:net'
import { problemOfAnswer } from './handshake.ts'

export interface ClientHandshakeOptions {
  /** ws: or wss:, without credentials. */
  url: URL
  /** PEM of an authority to trust instead of the system's. */
  ca: Buffer | undefined
  deadlineMs: number
}

export interface ClientHandshake {
  /** Gives up; `failed` is not called any more. */
  abort(): void
}

/** Connects and upgrades to WebSocket. Exactly one of `opened` and `failed` is called, unless aborted. */
export function clientHandshake(
  { url, ca, deadlineMs }: ClientHandshakeOptions,
  on: { opened(socket: Socket, head: Buffer): void; failed(reason: string): void },
): ClientHandshake {
  const key = randomBytes(16).toString('base64')
  const isTls = url.protocol === 'wss:'
  const options: RequestOptions & { ca?: Buffer } = {
    // `URL.hostname` has brackets around an IPv6 address, which the resolver does not want.
    host: url.hostname.replace(/^\[(.*)\]$/, '$1'),
    port: url.port === '' ? (isTls ? 443 : 80) : Number(url.port),
    path: `${url.pathname}${url.search}`,
    agent: false,
    headers: {
      host: url.host,
      connection: 'Upgrade',
      upgrade: 'websocket',
      'sec-websocket-version': '13',
      'sec-websocket-key': key,
    },
  }
  if (ca !== undefined) options.ca = ca
  const request: ClientRequest = isTls ? httpsRequest(options) : httpRequest(options)
  let settled = false
  const settle = (): boolean => {
    if (settled) return false
    settled = true
    clearTimeout(timer)
    return true
  }
  const fail = (reason: string) => {
    if (!settle()) return
    request.destroy()
    on.failed(reason)
  }
  const timer = setTimeout(() => fail(`no connection within ${deadlineMs} ms`), deadlineMs)
  request.on('error', (error) => fail(`cannot connect: ${describe(error)}`))
  request.on('response', (response) => {
    response.resume()
    fail(`the server answered HTTP ${response.statusCode ?? 0} instead of opening a WebSocket`)
  })
  request.on('upgrade', (response, socket, head) => {
    socket.on('error', () => undefined)
    const problem = problemOfAnswer(response, key)
    if (problem !== undefined || settled) {
      socket.destroy()
      fail(problem ?? 'aborted')
      return
    }
    settle()
    socket.setNoDelay(true)
    socket.setKeepAlive(true)
    on.opened(socket, head)
  })
  request.end()
  return {
    abort: () => {
      if (settle()) request.destroy()
    },
  }
}

/** An error that stands for several tries (IPv6, then IPv4) has no message of its own. */
function describe(error: Error): string {
  return error instanceof AggregateError ? (error.errors[0] as Error).message : error.message
}

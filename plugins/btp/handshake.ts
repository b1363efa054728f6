import { createHash } from 'node:crypto'
import type { IncomingMessage } from 'node:http'

/** Fixed by RFC 6455, 1.3. */
const ACCEPT_GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11'
const KEY = /^[A-Za-z0-9+/]{22}==$/

/** What `Sec-WebSocket-Accept` must be for a `Sec-WebSocket-Key`. */
export function acceptFor(key: string): string {
  return createHash('sha1').update(`${key}${ACCEPT_GUID}`).digest('base64')
}

/** The whole answer of a server to an upgrade request: 101, or a refusal that says why. `accepted` tells which. */
export function answerUpgrade(request: IncomingMessage): { accepted: boolean; text: string } {
  const { headers } = request
  const key = headers['sec-websocket-key'] ?? ''
  if (request.method !== 'GET' || headers.upgrade?.toLowerCase() !== 'websocket' || !KEY.test(key)) {
    return { accepted: false, text: refusal('400 Bad Request', '', 'This is not a WebSocket handshake.') }
  }
  if (headers['sec-websocket-version'] !== '13') {
    const text = refusal(
      '426 Upgrade Required',
      'Sec-WebSocket-Version: 13\r\n',
      'WebSocket version 13 is served.',
    )
    return { accepted: false, text }
  }
  // No extension and no sub-protocol is ever taken up: compression costs fifty times what a packet does.
  const text =
    'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n' +
    `Sec-WebSocket-Accept: ${acceptFor(key)}\r\n\r\n`
  return { accepted: true, text }
}

function refusal(status: string, headers: string, body: string): string {
  return (
    `HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Type: text/plain\r\n${headers}` +
    `Content-Length: ${body.length + 1}\r\n\r\n${body}\n`
  )
}

/** Why a server's 101 answer to our `key` cannot be used; undefined when it can. */
export function problemOfAnswer(response: IncomingMessage, key: string): string | undefined {
  const { headers } = response
  if (headers.upgrade?.toLowerCase() !== 'websocket')
    return 'the server upgraded to something other than WebSocket'
  if (headers['sec-websocket-accept'] !== acceptFor(key))
    return 'the server did not understand the WebSocket handshake'
  if (headers['sec-websocket-extensions'] !== undefined || headers['sec-websocket-protocol'] !== undefined) {
    return 'the server chose a WebSocket extension or sub-protocol that was not offered'
  }
  return undefined
}

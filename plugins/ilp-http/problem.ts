import { type ServerResponse, STATUS_CODES } from 'node:http'

/** How many seconds a peer should wait after a 503. */
const RETRY_AFTER_SECONDS = '1'

/**
 * Refuses an HTTP request with a small JSON body (RFC 9457). Packets are never in it: a refusal of the request is
 * not a reply to the packet.
 */
export function sendProblem(response: ServerResponse, status: number, detail: string, close = false): void {
  if (response.headersSent || response.destroyed) return
  const body = JSON.stringify({ type: 'about:blank', title: STATUS_CODES[status], status, detail })
  const headers: Record<string, string | number> = {
    'content-type': 'application/problem+json',
    'content-length': Buffer.byteLength(body),
  }
  if (status === 401) headers['www-authenticate'] = 'Bearer realm="ilp"'
  if (status === 405) headers.allow = 'POST, OPTIONS'
  if (status === 503) headers['retry-after'] = RETRY_AFTER_SECONDS
  if (close) headers.connection = 'close'
  response.writeHead(status, headers)
  response.end(body)
}

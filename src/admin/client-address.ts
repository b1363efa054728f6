import type { IncomingMessage } from 'node:http'
import ipaddr from 'ipaddr.js'

/**
 * What a client is counted under when it has no token: its IPv4 address, or the /64 network of its IPv6 address,
 * because one machine usually owns all of that.
 * @param trustProxy the peer is a proxy of ours: the last address in X-Forwarded-For, which it appended, is the client
 */
export function clientAddress(request: IncomingMessage, trustProxy: boolean): string {
  const direct = request.socket.remoteAddress ?? 'unknown'
  if (!trustProxy) return normalise(direct) ?? 'unknown'
  const header = request.headers['x-forwarded-for']
  const list = typeof header === 'string' ? header : (header?.at(-1) ?? '')
  return normalise(list.split(',').at(-1)?.trim() ?? '') ?? normalise(direct) ?? 'unknown'
}

function normalise(text: string): string | undefined {
  if (text.length > 64 || !ipaddr.isValid(text)) return undefined
  const address = ipaddr.process(text)
  if (!(address instanceof ipaddr.IPv6)) return address.toString()
  const network = address.parts.slice(0, 4).map((part) => part.toString(16))
  return `${network.join(':')}::/64`
}

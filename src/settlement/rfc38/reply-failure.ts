import { DeliveryFailure } from './delivery-queue.ts'
import type { Rfc38Reply } from './rfc38-http-client.ts'

/** How much of an error text is kept, characters. */
const DETAIL_LENGTH_MAX = 200

/** The failure that a reply other than the hoped-for one stands for: `<what>: HTTP 400, <its text>`. */
export function replyFailure(what: string, reply: Rfc38Reply): DeliveryFailure {
  // Time heals what the server answers for, haste and requests that overtook one another; the rest needs a person.
  const alarm = reply.status < 500 && ![408, 409, 425, 429].includes(reply.status)
  return new DeliveryFailure(`${what}: ${describeReply(reply)}`, { notBeforeMs: reply.retryAfterMs, alarm })
}

/** Status and text of a reply, on one line. */
export function describeReply(reply: Rfc38Reply): string {
  const detail = reply.body
    .toString('utf8')
    .slice(0, DETAIL_LENGTH_MAX)
    .replace(/[^\x20-\x7e]+/g, ' ')
    .trim()
  return detail === '' ? `HTTP ${reply.status}` : `HTTP ${reply.status}, ${detail}`
}

import { deserializeIlpPrepare } from 'ilp-packet'

/**
 * When a Prepare expires, for the deadline of its callback; undefined when it is none. The node parses and judges the
 * packet itself. Milliseconds since the epoch.
 */
export function prepareExpiryMs(packet: Buffer): number | undefined {
  try {
    const expiryMs = deserializeIlpPrepare(packet).expiresAt.getTime()
    return Number.isNaN(expiryMs) ? undefined : expiryMs
  } catch {
    return undefined
  }
}

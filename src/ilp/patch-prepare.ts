import type { Amount } from './amount.ts'
import type { PrepareView } from './packet-view.ts'
import { checkTimestamp, writeTimestamp } from './timestamp.ts'
import { writeUInt64 } from './uint64.ts'

/**
 * Changes amount and expiry of a Prepare in its own buffer and in the view: the only two fields that a
 * connector may change (RFC 27). Every other byte stays as it came.
 * @param amount 0..2^64-1, in units of the next account's asset scale
 * @param expiresAtMs whole milliseconds since the Unix epoch, up to the end of the year 9999
 * @throws RangeError when a value cannot be written; packet and view are then as they were
 */
export function patchPrepare(view: PrepareView, amount: Amount, expiresAtMs: number): void {
  checkTimestamp(expiresAtMs)
  writeUInt64(view.buffer, view.amountOffset, amount)
  writeTimestamp(view.buffer, view.expiryOffset, expiresAtMs)
  view.amount = amount
  view.expiresAtMs = expiresAtMs
}

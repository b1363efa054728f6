import { within as withinDeadline } from '../lib/within.ts'
import { LedgerUnavailableError } from './ledger-store.ts'

/** The result of `work`, or {@link LedgerUnavailableError} after `deadlineMs`: its outcome is then unknown. */
export function within<T>(deadlineMs: number, what: string, work: Promise<T>): Promise<T> {
  const message = `the ledger did not answer within ${deadlineMs} ms: ${what}`
  return withinDeadline(work, deadlineMs, () => new LedgerUnavailableError(message))
}

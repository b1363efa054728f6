import { LedgerUnavailableError } from './ledger-store.ts'

/**
 * The result of `work`, or {@link LedgerUnavailableError} after `deadlineMs`. The work itself goes on: its outcome
 * is unknown to the caller.
 */
export async function within<T>(deadlineMs: number, what: string, work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const deadline = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      reject(new LedgerUnavailableError(`the ledger did not answer within ${deadlineMs} ms: ${what}`))
    }, deadlineMs)
  })
  try {
    return await Promise.race([work, deadline])
  } finally {
    clearTimeout(timer)
  }
}

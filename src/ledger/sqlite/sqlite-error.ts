import { LedgerFaultError, LedgerUnavailableError } from '../ledger-store.ts'

/** Primary result codes of SQLite (sqlite.org/rescode.html); the extended code's low byte. */
const SQLITE_BUSY = 5
const SQLITE_NOMEM = 7
const SQLITE_FULL = 13
const PRIMARY_CODE_MASK = 0xff

/**
 * What an error of SQLite means for the ledger. A full disk or lack of memory passes, and the transaction was rolled
 * back: the call may be repeated. Everything else, failed writes and flushes first of all, is for good: after a
 * failed flush nobody knows what the disk holds, so the file is not touched again by this process.
 */
export function toLedgerError(error: unknown, path: string): Error {
  if (error instanceof LedgerUnavailableError || error instanceof LedgerFaultError) return error
  const text = error instanceof Error ? error.message : String(error)
  const code = sqliteCode(error)
  if (code === SQLITE_FULL) {
    return new LedgerUnavailableError(
      `the disk of ${path} is full: free some space, the ledger goes on by itself`,
    )
  }
  if (code === SQLITE_NOMEM) return new LedgerUnavailableError(`out of memory while writing ${path}`)
  if (code === SQLITE_BUSY) {
    return new LedgerFaultError(
      `the ledger file ${path} is in use by another process: stop that process, or use another data directory`,
    )
  }
  return new BrokenBooksError(`the ledger file ${path} cannot be used: ${text}`, { cause: error })
}

/** The file must not be touched again by this process. */
export class BrokenBooksError extends LedgerFaultError {}

function sqliteCode(error: unknown): number | undefined {
  if (!(error instanceof Error) || !('errcode' in error)) return undefined
  return Number(error.errcode) & PRIMARY_CODE_MASK
}

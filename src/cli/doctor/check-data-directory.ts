import {
  closeSync,
  existsSync,
  fsyncSync,
  openSync,
  readdirSync,
  readSync,
  rmSync,
  statfsSync,
  writeSync,
} from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { type Finding, failed, ok, warning } from './finding.ts'

/** Below this the ledger soon cannot write, bytes. */
const FREE_BYTES_MIN = 256 * 1024 * 1024
/** Below this the operator has days rather than months, bytes. */
const FREE_BYTES_WARNING = 2 * 1024 * 1024 * 1024
/** Every batch of packets waits for one fsync; above this payments feel slow, milliseconds. */
const FSYNC_MS_WARNING = 50
const FSYNC_ROUNDS = 5
/** Result code of SQLite: another process has the database locked. */
const SQLITE_BUSY = 5
const SQLITE_HEADER = 'SQLite format 3\0'

/**
 * Checks the directory that holds the ledger: there, writable, durable, with room, its databases whole. `isRunning`:
 * the node has them open now, and may hold a lock on them.
 */
export function checkDataDirectory(path: string, isRunning: boolean): Finding[] {
  if (!existsSync(path)) {
    return [ok('data directory', `${path} is not there yet; the first start makes it`)]
  }
  return [checkWrite(path), checkSpace(path), ...checkDatabases(path, isRunning)]
}

function checkWrite(path: string): Finding {
  const file = join(path, `.doctor-${process.pid}`)
  try {
    const milliseconds = measureFsync(file)
    const text = `${path} is writable; fsync takes ${milliseconds.toFixed(1)} ms`
    if (milliseconds <= FSYNC_MS_WARNING) return ok('data directory', text)
    return warning('data directory', text, 'Every payment waits for it: use a local SSD')
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? 'unknown error'
    return failed(
      'data directory',
      `${path} cannot be written (${code})`,
      'Give it to the user that runs the node',
    )
  } finally {
    rmSync(file, { force: true })
  }
}

function measureFsync(path: string): number {
  const file = openSync(path, 'wx', 0o600)
  try {
    const startMs = performance.now()
    for (let round = 0; round < FSYNC_ROUNDS; round++) {
      writeSync(file, 'x'.repeat(4096))
      fsyncSync(file)
    }
    return (performance.now() - startMs) / FSYNC_ROUNDS
  } finally {
    closeSync(file)
  }
}

function checkSpace(path: string): Finding {
  const { bavail, bsize } = statfsSync(path)
  const free = bavail * bsize
  const text = `${(free / 1024 ** 3).toFixed(1)} GiB free`
  if (free < FREE_BYTES_MIN) {
    return failed('disk space', text, 'Make room: a node whose ledger cannot write stops taking packets')
  }
  return free < FREE_BYTES_WARNING ? warning('disk space', text, 'Make room soon') : ok('disk space', text)
}

function checkDatabases(path: string, isRunning: boolean): Finding[] {
  const names = readdirSync(path).filter((name) => isDatabase(join(path, name)))
  return names.map((name) => checkDatabase(join(path, name), name, isRunning))
}

function isDatabase(path: string): boolean {
  try {
    const file = openSync(path, 'r')
    try {
      const head = Buffer.alloc(SQLITE_HEADER.length)
      readSync(file, head, 0, head.length, 0)
      return head.toString('latin1') === SQLITE_HEADER
    } finally {
      closeSync(file)
    }
  } catch {
    // A directory, or a file of somebody else.
    return false
  }
}

function checkDatabase(path: string, name: string, isRunning: boolean): Finding {
  try {
    const database = new DatabaseSync(path, { readOnly: true })
    try {
      const row = database.prepare('PRAGMA quick_check(1)').get()
      const verdict = String(row?.quick_check)
      if (verdict === 'ok') return ok('database', `${name} is whole`)
      return failed(
        'database',
        `${name} is damaged: ${verdict}`,
        'Stop the node and restore it from a backup',
      )
    } finally {
      database.close()
    }
  } catch (error) {
    if (isRunning && (error as { errcode?: number }).errcode === SQLITE_BUSY) {
      return ok('database', `${name} is in use by the node; stop it to have the file checked`)
    }
    return failed(
      'database',
      `${name} cannot be opened: ${(error as Error).message}`,
      'Check its owner and mode',
    )
  }
}

import { closeSync, fdatasyncSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { median } from '../report/median.ts'

const WRITES = 200
const BYTES = 4_096

/** Milliseconds until a small write is on the disk that holds the ledgers of this bench: the median of some. */
export function flushTimeMs(): number {
  const directory = mkdtempSync(join(tmpdir(), 'causeway-bench-'))
  const file = openSync(join(directory, 'flush'), 'w')
  try {
    const bytes = Buffer.alloc(BYTES, 1)
    const times = Array.from({ length: WRITES }, () => {
      const startAt = performance.now()
      writeSync(file, bytes)
      fdatasyncSync(file)
      return performance.now() - startAt
    })
    return median(times).median
  } finally {
    closeSync(file)
    rmSync(directory, { recursive: true, force: true })
  }
}

import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { describe, expect, it } from 'vitest'
import { type Stage, stageOf } from '../../../bench/profile/stages.ts'
import { summarizeProfile } from '../../../bench/profile/summarize-profile.ts'

const ROOT = join(import.meta.dirname, '../../..')
/** Real files, so that a file that moves takes its stage along. */
const ours = (path: string) => {
  const file = join(ROOT, path)
  expect(existsSync(file), `${path} is there`).toBe(true)
  return pathToFileURL(file).href
}

describe('stages of a packet in a CPU profile', () => {
  it.each<[string, string, Stage | 'idle']>([
    ['plugins/btp/frame-reader.ts', 'push', 'WebSocket and BTP frames in'],
    ['plugins/btp/frame-writer.ts', 'flush', 'WebSocket and BTP frames out'],
    ['plugins/btp/btp-link.ts', 'sendPrepare', 'WebSocket and BTP frames out'],
    ['plugins/btp/btp-link.ts', '#onMessage', 'WebSocket and BTP frames in'],
    ['src/ilp/parse-packet.ts', 'parsePrepare', 'packet: parse, check, patch'],
    ['src/ilp/sha256.ts', 'sha256OneBlock', 'hash of the fulfillment'],
    ['src/routing/route-cache.ts', 'find', 'route and price'],
    ['src/forwarding/rate-limits.ts', 'take', 'limits, slots and timers'],
    ['src/lib/timer-wheel.ts', 'schedule', 'limits, slots and timers'],
    ['src/ledger/batch-writer.ts', 'push', 'ledger, main thread'],
    ['src/observability/metrics.ts', 'expose', 'metrics, health and logs'],
  ])('%s %s is %s in the main thread', (path, functionName, stage) => {
    expect(stageOf({ url: ours(path), functionName }, false)).toBe(stage)
  })

  it('counts whatever the worker does for the books', () => {
    const books = 'ledger, worker: journal, posting, sqlite'
    const url = ours('src/ledger/sqlite/sqlite-books.ts')
    expect(stageOf({ url, functionName: 'journal' }, true)).toBe(books)
    expect(stageOf({ url: ours('src/ilp/amount.ts'), functionName: 'add' }, true)).toBe(books)
    const commit = 'ledger, worker: commit, with its wait for the disk'
    expect(stageOf({ url, functionName: '#transact' }, true)).toBe(commit)
    const worker = ours('src/ledger/sqlite/sqlite-worker.ts')
    expect(stageOf({ url: worker, functionName: 'reply' }, true)).toBe('ledger, worker: hand-over')
  })

  it('tells sockets, garbage collection and idleness apart', () => {
    const stream = { url: 'node:internal/stream_base_commons', functionName: 'handleWriteReq' }
    expect(stageOf(stream, false)).toBe('sockets: writes and streams')
    expect(stageOf({ url: '', functionName: '(garbage collector)' }, false)).toBe('garbage collection')
    expect(stageOf({ url: '', functionName: '(idle)' }, true)).toBe('idle')
    expect(stageOf({ url: 'node:internal/timers', functionName: 'x' }, false)).toBe('Node and engine, other')
  })
})

describe('summary of a CPU profile', () => {
  const frame = (functionName: string, url: string) => ({ functionName, url })
  const profile = {
    startTime: 1_000,
    nodes: [
      { id: 1, callFrame: frame('(root)', ''), children: [2, 4, 6] },
      { id: 2, callFrame: frame('hold', 'file:///x/src/forwarding/held-bytes.ts'), children: [3] },
      { id: 3, callFrame: frame('copy', 'node:buffer'), children: [5] },
      { id: 4, callFrame: frame('(idle)', '') },
      { id: 5, callFrame: frame('_copyActual', '') },
      { id: 6, callFrame: frame('(garbage collector)', '') },
    ],
    samples: [2, 3, 5, 4, 6, 2],
    timeDeltas: [100, 100, 100, 100, 100, 100],
  }

  it('adds up own time by stage, native helpers with their caller, and leaves out idleness', () => {
    const all = { fromUs: 0, toUs: 10_000 }
    const { stagesUs, busyUs, idleUs, top } = summarizeProfile(profile, { isWorker: false, span: all })
    expect(stagesUs.get('limits, slots and timers')).toBe(400)
    expect(stagesUs.get('garbage collection')).toBe(100)
    expect([...stagesUs.values()].reduce((sum, us) => sum + us, 0)).toBe(busyUs)
    expect(busyUs).toBe(500)
    expect(idleUs).toBe(100)
    expect(top[0]).toEqual({ name: 'hold forwarding/held-bytes.ts', us: 400 })
  })

  it('counts only samples within the span', () => {
    const { busyUs, idleUs } = summarizeProfile(profile, {
      isWorker: false,
      span: { fromUs: 200, toUs: 500 },
    })
    expect(busyUs).toBe(200)
    expect(idleUs).toBe(100)
  })
})

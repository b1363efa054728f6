import assert from 'node:assert'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { parentPort, workerData } from 'node:worker_threads'
import { LedgerFaultError, LedgerUnavailableError } from '../ledger-store.ts'
import { SqliteBooks } from './sqlite-books.ts'
import { BrokenBooksError } from './sqlite-error.ts'
import type {
  WorkerCallName,
  WorkerCalls,
  WorkerOptions,
  WorkerReply,
  WorkerRequest,
} from './worker-protocol.ts'

/** Packets wait at most this long in the journal before they are posted: one write of the sums for many batches. */
const POST_INTERVAL_MS = 500
const PURGE_INTERVAL_MS = 60_000

type Handlers = {
  [Name in WorkerCallName]: (
    argument: WorkerCalls[Name]['argument'],
  ) => WorkerCalls[Name]['answer'] | Promise<WorkerCalls[Name]['answer']>
}

const options = workerData as WorkerOptions
const port = parentPort
assert(port !== null, 'runs as a worker only')

let opened: SqliteBooks | undefined
/** Set once the file must not be touched again. */
let broken: LedgerFaultError | undefined
let postTimer: NodeJS.Timeout | undefined
let purgeTimer: NodeJS.Timeout | undefined
let upkeepScheduled = false

const handlers: Handlers = {
  open: () => {
    opened = new SqliteBooks(options)
    schedulePurge(PURGE_INTERVAL_MS)
    return { epoch: opened.epoch }
  },
  post: (batch) => {
    books().journal(batch)
    scheduleUpkeep()
    return batch.buffer
  },
  probe: () => books().probe(),
  openAccount: ({ spec, index, timestampMs }) => books().openAccount(spec, index, timestampMs),
  setCreditLimit: ({ index, limit, timestampMs }) => books().setCreditLimit(index, limit, timestampMs),
  settleIn: (entry) => books().settle('in', entry),
  holdSettlement: (entry) => books().settle('out', entry),
  postSettlement: (id) => books().resolveSettlement(id, 'posted'),
  voidSettlement: (id) => books().resolveSettlement(id, 'voided'),
  balances: () => books().balances(),
  history: (query) => books().history(query),
  selfCheck: () => books().selfCheck(() => nextTurn()),
  close,
}

port.on('message', (request: WorkerRequest) => void handle(request))

async function handle({ id, name, argument }: WorkerRequest): Promise<void> {
  try {
    const handler = handlers[name] as (argument: unknown) => unknown
    const result = handler(argument)
    const answer = result instanceof Promise ? await result : result
    reply({ id, outcome: 'done', answer })
  } catch (error) {
    noteBroken(error)
    const outcome = error instanceof LedgerUnavailableError ? 'unavailable' : 'fault'
    reply({ id, outcome, message: error instanceof Error ? error.message : String(error) })
  }
  if (name === 'close') port?.close()
}

function reply(message: WorkerReply): void {
  const answer = message.outcome === 'done' ? message.answer : undefined
  port?.postMessage(message, answer instanceof ArrayBuffer ? [answer] : [])
}

function books(): SqliteBooks {
  if (broken !== undefined) throw broken
  if (opened === undefined) throw new LedgerFaultError('the ledger file is not open')
  return opened
}

function close(): undefined {
  clearTimeout(postTimer)
  clearTimeout(purgeTimer)
  const closing = opened
  opened = undefined
  if (closing === undefined || broken !== undefined) return
  try {
    closing.post()
  } finally {
    closing.close()
  }
}

/** Work that a batch leaves behind is done after its answer is out. */
function scheduleUpkeep(): void {
  if (upkeepScheduled) return
  upkeepScheduled = true
  setImmediate(upkeep)
  postTimer ??= setTimeout(postAll, POST_INTERVAL_MS)
}

function upkeep(): void {
  upkeepScheduled = false
  unattended((open) => {
    if (open.shouldPost) postAll()
    open.checkpointWhenDue()
  })
}

function postAll(): void {
  clearTimeout(postTimer)
  postTimer = undefined
  unattended((open) => {
    open.post()
    open.purge(Date.now())
  })
}

function schedulePurge(afterMs: number): void {
  purgeTimer = setTimeout(() => {
    let more = false
    unattended((open) => {
      more = open.purge(Date.now())
    })
    schedulePurge(more ? 0 : PURGE_INTERVAL_MS)
  }, afterMs)
}

/** Upkeep that fails is tried again later; a broken file shows in the next call. */
function unattended(work: (open: SqliteBooks) => void): void {
  if (opened === undefined || broken !== undefined) return
  try {
    work(opened)
  } catch (error) {
    if (!(error instanceof LedgerUnavailableError)) {
      broken =
        error instanceof LedgerFaultError ? error : new BrokenBooksError(String(error), { cause: error })
    }
  }
}

function noteBroken(error: unknown): void {
  if (error instanceof BrokenBooksError) broken = error
}

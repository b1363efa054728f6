import assert from 'node:assert'
import { type MessagePort, parentPort, receiveMessageOnPort, workerData } from 'node:worker_threads'
import type { SelfCheck } from '../ledger.ts'
import { LedgerFaultError, LedgerUnavailableError } from '../ledger-store.ts'
import { BatchMailbox } from './batch-mailbox.ts'
import { SqliteBooks } from './sqlite-books.ts'
import { BrokenBooksError } from './sqlite-error.ts'
import {
  BATCH_BOOKED,
  BATCH_REPLY,
  type WorkerCallName,
  type WorkerCalls,
  type WorkerOptions,
  type WorkerRefusal,
  type WorkerReply,
  type WorkerRequest,
} from './worker-protocol.ts'

/**
 * Packets wait at most this long in the journal before they are posted: one write of the sums for many batches. What
 * reads the books posts first, so nobody sees the difference.
 */
const POST_INTERVAL_MS = 5_000
const PURGE_INTERVAL_MS = 60_000

type SlicedCall = 'selfCheck' | 'close'
type Handlers = {
  [Name in Exclude<WorkerCallName, SlicedCall>]: (
    argument: WorkerCalls[Name]['argument'],
  ) => WorkerCalls[Name]['answer']
}

assert(parentPort !== null, 'runs as a worker only')
const port: MessagePort = parentPort
const options = workerData as WorkerOptions
const mailbox = new BatchMailbox(options.mailbox)

let opened: SqliteBooks | undefined
/** Set once the file must not be touched again. */
let broken: LedgerFaultError | undefined
let closed = false
let postDueAt = Number.POSITIVE_INFINITY
let purgeDueAt = Number.POSITIVE_INFINITY
/** Checks of the books under way: a slice at a time, when nothing else waits. */
const checks: { id: number; slices: Generator<undefined, SelfCheck> }[] = []

const handlers: Handlers = {
  open: () => {
    opened = new SqliteBooks(options)
    purgeDueAt = performance.now() + PURGE_INTERVAL_MS
    return { epoch: opened.epoch }
  },
  probe: () => books().probe(),
  openAccount: ({ spec, index, timestampMs }) => books().openAccount(spec, index, timestampMs),
  setCreditLimit: ({ index, limit, timestampMs }) => books().setCreditLimit(index, limit, timestampMs),
  settleIn: (entry) => books().settle('in', entry),
  holdSettlement: (entry) => books().settle('out', entry),
  postSettlement: (id) => books().resolveSettlement(id, 'posted'),
  voidSettlement: (id) => books().resolveSettlement(id, 'voided'),
  balances: () => books().balances(),
  balance: (index) => books().balance(index),
  history: (query) => books().history(query),
}

// The thread has no event loop: it sleeps on the mailbox's bell, which is the fastest way to be woken.
while (!closed) {
  bookBatch()
  if (mailbox.hasCalls()) answerCalls()
  if (!closed) upkeep()
  if (!closed && !continueCheck())
    mailbox.sleep(Math.max(0, Math.min(postDueAt, purgeDueAt) - performance.now()))
}

function bookBatch(): void {
  const batch = mailbox.take()
  if (batch === undefined) return
  try {
    books().journal(batch)
  } catch (error) {
    mailbox.giveBack()
    return port.postMessage(refusal(BATCH_REPLY, error))
  }
  mailbox.giveBack()
  port.postMessage(BATCH_BOOKED)
  if (postDueAt === Number.POSITIVE_INFINITY) postDueAt = performance.now() + POST_INTERVAL_MS
}

function answerCalls(): void {
  let received = receiveMessageOnPort(port)
  while (received !== undefined) {
    answerCall(received.message as WorkerRequest)
    // Packets do not wait behind a row of reports.
    bookBatch()
    received = receiveMessageOnPort(port)
  }
}

function answerCall({ id, name, argument }: WorkerRequest): void {
  try {
    if (name === 'selfCheck') {
      checks.push({ id, slices: books().selfCheck() })
      return
    }
    if (name === 'close') {
      closed = true
      close()
      return reply({ id, outcome: 'done', answer: undefined })
    }
    const handler = handlers[name] as (argument: unknown) => unknown
    reply({ id, outcome: 'done', answer: handler(argument) })
  } catch (error) {
    port.postMessage(refusal(id, error))
  }
}

function reply(message: WorkerReply): void {
  port.postMessage(message)
}

function refusal(id: number, error: unknown): WorkerRefusal {
  if (error instanceof BrokenBooksError) broken = error
  const outcome = error instanceof LedgerUnavailableError ? 'unavailable' : 'fault'
  return { id, outcome, message: error instanceof Error ? error.message : String(error) }
}

function books(): SqliteBooks {
  if (broken !== undefined) throw broken
  if (opened === undefined) throw new LedgerFaultError('the ledger file is not open')
  return opened
}

function close(): void {
  const closing = opened
  opened = undefined
  if (closing === undefined || broken !== undefined) return
  try {
    closing.post()
  } finally {
    closing.close()
  }
}

/** One slice of a check. Whether there is more to do. */
function continueCheck(): boolean {
  const check = checks[0]
  if (check === undefined) return false
  try {
    const { done, value } = check.slices.next()
    if (done !== true) return true
    reply({ id: check.id, outcome: 'done', answer: value })
  } catch (error) {
    port.postMessage(refusal(check.id, error))
  }
  checks.shift()
  return true
}

/** Work that batches leave behind, done after their answers are out. Where it fails it is tried again later. */
function upkeep(): void {
  if (opened === undefined || broken !== undefined) return
  const now = performance.now()
  try {
    if (opened.shouldPost || now >= postDueAt) {
      postDueAt = Number.POSITIVE_INFINITY
      opened.post()
      purgeDueAt = Math.min(purgeDueAt, now)
    }
    if (now >= purgeDueAt) {
      purgeDueAt = now + PURGE_INTERVAL_MS
      if (opened.purge(Date.now())) purgeDueAt = now
    }
    opened.checkpointWhenDue()
  } catch (error) {
    if (error instanceof LedgerUnavailableError) return
    broken = error instanceof LedgerFaultError ? error : new BrokenBooksError(String(error), { cause: error })
  }
}

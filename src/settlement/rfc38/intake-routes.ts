import { VALUE_MAX } from '../../ledger/check-ledger-input.ts'
import type { Clock } from '../../lib/clock.ts'
import { LogGate } from '../../lib/log-gate.ts'
import type { Logger } from '../../lib/logger.ts'
import { within } from '../../lib/within.ts'
import { type EngineHost, PeerMessageError, type Quantity } from '../engine.ts'
import { convertQuantity } from '../quantity.ts'
import { writeRefusalText } from '../refusal-text.ts'
import { HttpRefusal, type HttpReply } from './bounded-http-server.ts'
import type { EngineJournal } from './engine-journal.ts'
import type { Rfc38Request, Rfc38Routes } from './rfc38-http-server.ts'
import { creditIdOf, isIdempotencyKey } from './rfc38-key.ts'
import { parseQuantityBody, quantityBody } from './rfc38-quantity.ts'

/** A message goes to the peer's engine and back. Milliseconds. */
const MESSAGE_DEADLINE_MS = 35_000

export interface IntakeDeps {
  readonly engineName: string
  readonly host: EngineHost
  readonly journal: EngineJournal
  readonly clock: Clock
  readonly logger: Logger
  /** A credit was stored that the node is to be told of. */
  readonly onCredit: () => void
}

/** What a foreign engine calls at this node (RFC 38, "Accounting System HTTP API"). */
export function intakeRoutes(deps: IntakeDeps): Rfc38Routes {
  const gate = new LogGate()
  const report: Report = (message, fields) => {
    const suppressed = gate.take(deps.clock.now())
    if (suppressed !== undefined) deps.logger.error(message, { ...fields, suppressed })
  }
  return {
    settlements: (request) => takeCredit(request, deps, report),
    messages: (request) => sendMessage(request, deps),
  }
}

/** Of credits that were not taken: an engine may repeat them at any rate. */
type Report = (message: string, fields: Record<string, unknown>) => void

/**
 * POST /accounts/:id/settlements. Answered once the credit is stored with its key, for good: the node is told until it
 * has booked it, and the answer never depends on how long that takes. Engines are known that, after an error, add the
 * amount to the next credit under another key.
 */
async function takeCredit(request: Rfc38Request, deps: IntakeDeps, report: Report): Promise<HttpReply> {
  const { accountId, idempotencyKey, body } = request
  const { engineName, journal, onCredit } = deps
  if (!isIdempotencyKey(idempotencyKey))
    throw new HttpRefusal(400, 'one Idempotency-Key header of 1 to 255 visible characters is needed')
  const quantity = parseOrRefuse(body)
  const account = journal.account(accountId)
  if (account === undefined) {
    report('credit for an unknown account', { accountId, amount: quantityBody(quantity) })
    throw new HttpRefusal(404, `there is no account ${accountId}`)
  }
  const id = creditIdOf(engineName, idempotencyKey)
  const { assetCode, assetScale, state } = account
  if (journal.credit(id) === undefined && isBeyondBooks(quantity, assetScale)) {
    report('credit of more than the ledger can book', { accountId, amount: quantityBody(quantity) })
    throw new HttpRefusal(400, 'the amount is more than can be booked: 10^38 units at most')
  }
  const outcome = journal.takeCredit({ id, accountId, assetCode, payable: state === 'open', quantity })
  if (outcome === 'other') {
    report('credit repeated with other fields', { id, accountId, amount: quantityBody(quantity) })
    throw new HttpRefusal(409, 'this Idempotency-Key was used for another account or quantity')
  }
  if (outcome === 'same') return { status: 201, body: quantityBody(journal.credit(id)?.quantity ?? quantity) }
  // Stored: nothing from here on may fail, an error would be an answer that says it was not.
  onCredit()
  return { status: 201, body: quantityBody(quantity) }
}

/** POST /accounts/:id/messages. 400: the peer refused it; 502 and 504: its answer did not come. */
async function sendMessage({ accountId, body }: Rfc38Request, deps: IntakeDeps): Promise<HttpReply> {
  const { journal, host } = deps
  if (journal.account(accountId)?.state !== 'open')
    throw new HttpRefusal(404, `there is no account ${accountId}`)
  const late = () => new HttpRefusal(504, 'the peer did not answer in time')
  try {
    const answer = await within(host.send(accountId, body), MESSAGE_DEADLINE_MS, late)
    return { status: 201, body: answer }
  } catch (error) {
    if (!(error instanceof PeerMessageError)) throw error
    const { message, refusal } = error
    if (refusal === undefined) throw new HttpRefusal(502, message)
    throw new HttpRefusal(400, writeRefusalText({ code: refusal, message }))
  }
}

/** Whether the ledger would refuse it for good, for the account or in SUSPENSE. It counts in whole units, remainders apart. */
function isBeyondBooks(quantity: Quantity, assetScale: number): boolean {
  return quantity.amount > VALUE_MAX || convertQuantity(quantity, assetScale).amount >= VALUE_MAX
}

function parseOrRefuse(body: Buffer): Quantity {
  try {
    return parseQuantityBody(body)
  } catch (error) {
    throw new HttpRefusal(400, (error as Error).message)
  }
}

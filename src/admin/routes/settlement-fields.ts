import { z } from 'zod'
import { type NodeServices, SETTLEMENT_STATES, ServiceError, type SettlementService } from '../services.ts'
import { amount } from './fields.ts'

/**
 * The settlement service, for what changes something or is known only with engines.
 * @throws ServiceError when no engine is configured
 */
export function settlementsOf({ settlements }: NodeServices): SettlementService {
  if (settlements !== undefined) return settlements
  throw new ServiceError(
    'NOT_SUPPORTED',
    'no settlement engine is configured: add one under settlement.engines and restart the node',
  )
}

/** Ids of settlements, credits and channels come from engines and networks. */
export const networkIdParams = z.strictObject({
  id: z.string().regex(/^[\x21-\x7e]{1,128}$/, 'an id as the list shows it, at most 128 characters'),
})

/** Why an operator does something. */
export const operatorReason = z
  .string()
  .regex(/^(?! *$)[^\p{Cc}]{1,256}$/u, 'say why, in one line of at most 256 characters')

/** 78 digits of a network's amount, and as many more as scales can lie apart. */
const quantity = z.strictObject({
  amount: z.string().regex(/^\d{1,335}$/),
  scale: z.number().int().min(0).max(255),
})

const timeMs = z.number().describe('Milliseconds since the epoch.')

export const settlementView = z.strictObject({
  id: z.string(),
  direction: z.enum(['in', 'out']).describe('`out`: we pay the peer; `in`: we were paid.'),
  accountId: z.string().optional().describe('Absent for a credit that stands in SUSPENSE.'),
  engine: z.string(),
  assetCode: z.string(),
  amount: amount.optional().describe('Units of the account; absent for a credit in SUSPENSE.'),
  assetScale: z.number().int().optional(),
  quantity: quantity.describe('The same as the network counts it: `amount` units of 10^-`scale`.'),
  state: z
    .enum(SETTLEMENT_STATES)
    .describe(
      'Out: `planned`, `held` (in the ledger), `handed-over` (the engine has it), `carried-out`, `settled`; or `unholdable`, `declined`, `refused`. In: `booking`, `booked`; or `suspending`, `suspended` (in SUSPENSE), `attributing`.',
    ),
  cause: z.enum(['threshold', 'interval', 'operator']).optional().describe('What made us settle.'),
  sender: z.string().optional().describe("Who paid, in the network's terms."),
  reason: z.string().optional().describe('Why it was refused, or went to SUSPENSE.'),
  createdMs: timeMs,
  updatedMs: timeMs,
  cursor: z.string(),
})

export const settlementAccountView = z.strictObject({
  accountId: z.string(),
  engine: z.string(),
  engineRunning: z.boolean(),
  assetCode: z.string(),
  assetScale: z.number().int(),
  engineScale: z
    .number()
    .int()
    .optional()
    .describe(
      'Decimal places in which the engine counts the asset, channels too; absent while it does not run.',
    ),
  threshold: amount.describe('When we owe this much, we settle.'),
  settleTo: amount.describe('How much we still owe afterwards.'),
  intervalMs: z.number().int().optional(),
  minAmount: amount,
  maxAmount: amount.optional().describe('Larger amounts are split.'),
  paused: z
    .strictObject({ reason: z.string(), sinceMs: timeMs })
    .optional()
    .describe('By an operator; over restarts too.'),
  pausedByConfiguration: z.boolean(),
  shutReason: z
    .string()
    .optional()
    .describe(
      'Why nothing is planned or handed over for any account of its engine: ledger and journal do not agree, or were not compared yet.',
    ),
  open: z.number().int().min(0).describe('Settlements to the peer that have not ended.'),
  openAmount: amount.describe('Their sum, units of the account.'),
  openSinceMs: timeMs.optional().describe('When the oldest of them was planned.'),
  remainder: quantity.describe('Received and too small to be booked yet.'),
  retryAtMs: timeMs.optional().describe('When a failed step is repeated; absent: nothing has failed.'),
})

export const settlementEngineView = z.strictObject({
  name: z.string().describe('The method in metrics and journals.'),
  type: z.string().describe('`type` of its section in the configuration.'),
  running: z.boolean(),
  sinceMs: timeMs
    .optional()
    .describe('When it began to run; or was first tried, while it does not run; ms since the epoch.'),
  lastError: z
    .string()
    .optional()
    .describe('Why the last attempt to start it failed; absent once it runs. It goes on trying.'),
  trouble: z
    .string()
    .optional()
    .describe('Why it moves no money although it runs: somebody must see to it. Absent: all is well.'),
  accounts: z.number().int().min(0).describe('That settle by it.'),
  open: z.number().int().min(0).describe('Settlements to peers that have not ended.'),
  openSinceMs: timeMs.optional().describe('When the oldest of them was planned; ms since the epoch.'),
  suspended: z.number().int().min(0).describe('Credits in SUSPENSE.'),
  channels: z.number().int().min(0).describe('That are not closed; 0 while it does not run.'),
})

export const acceptedDifferenceView = z.strictObject({
  engine: z.string(),
  assetCode: z.string(),
  assetScale: z.number().int(),
  amount: amount.describe('`paid` less `received`. Perhaps below 0, like both.'),
  paid: amount.describe(
    'How far the ledger was above the journal in what was paid to peers, or is held for it.',
  ),
  received: amount.describe('How far the ledger was above the journal in what peers paid.'),
  reason: z.string(),
  acceptedMs: timeMs,
})

export const reconciliationView = z.strictObject({
  checkedAtMs: timeMs,
  accountsChecked: z.number().int().min(0).describe('Accounts of which something is known.'),
  discrepancies: z
    .array(
      z.strictObject({
        accountId: z.string().optional().describe("Absent: the engine's money as a whole."),
        engine: z.string(),
        assetCode: z.string(),
        assetScale: z.number().int(),
        differences: z.array(z.string()).describe('One sentence each.'),
        amount: amount.describe('Their sum, rounded up; 0 for those that are no amount.'),
      }),
    )
    .describe('What does not agree; empty: everything that was checked does.'),
  unchecked: z
    .array(z.strictObject({ accountId: z.string(), reason: z.string() }))
    .describe('Accounts whose engine gave no answer: nothing is known of them.'),
})

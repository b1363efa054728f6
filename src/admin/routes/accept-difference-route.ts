import { z } from 'zod'
import { route } from '../route.ts'
import { assetCode, identifier } from './fields.ts'
import { acceptedDifferenceView, operatorReason, settlementsOf } from './settlement-fields.ts'

/** The ledger's settlements over the engine are read through, page by page. */
const ACCEPT_DEADLINE_MS = 60_000

export const acceptDifferenceRoute = route({
  method: 'POST',
  path: '/api/admin/settlements/engines/:name/accept-difference',
  scope: 'settlements:write',
  rateLimit: 'payment',
  summary: 'Go on although ledger and journal of an engine do not agree, as the ledger has it. For good.',
  description:
    'After `node.sqlite` or the ledger was lost or restored. Find out first what the peers were paid: with a ledger that is older than the truth, the same debts are paid again. `CONFLICT` when the amount is not the difference of this moment.',
  request: {
    params: z.strictObject({ name: identifier }),
    body: z.strictObject({
      assetCode,
      assetScale: z
        .number()
        .int()
        .min(0)
        .max(255)
        .optional()
        .describe('Needed only when several scales of the asset differ.'),
      amount: z
        .string()
        .regex(/^(0|-?[1-9]\d{0,37})$/, 'a whole number as a string, "-" before it when it is below 0')
        .describe('The difference exactly as `shutReason` of the account and the reconciliation show it.'),
      reason: operatorReason.describe('How you know.'),
    }),
  },
  reply: acceptedDifferenceView,
  errors: ['RESOURCE_NOT_FOUND', 'CONFLICT', 'NOT_SUPPORTED', 'SERVICE_UNAVAILABLE'],
  idempotent: true,
  deadlineMs: ACCEPT_DEADLINE_MS,
  handler: async ({ services, params, body }) => ({
    data: await settlementsOf(services).acceptDifference(params.name, {
      ...body,
      assetScale: body.assetScale,
    }),
  }),
})

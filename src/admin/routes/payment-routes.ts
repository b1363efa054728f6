import { z } from 'zod'
import { ApiError } from '../api-error.ts'
import { type ApiRoute, route } from '../route.ts'
import { amount, assetCode, assetScale, identifier, ilpAddress, positiveAmount } from './fields.ts'

const localAccount = z.strictObject({
  id: z.string(),
  ilpAddress: z.string().optional(),
  spspUrl: z.string().optional().describe('Where SPSP answers for it.'),
  paymentPointer: z.string().optional().describe('Only where the node has a public https address.'),
  assetCode: z.string(),
  assetScale: z.number().int(),
  balance: amount,
})

const paymentView = z.strictObject({
  id: z.string(),
  fromAccount: z.string(),
  destination: z.string(),
  amount: amount.describe('What was asked for, in units of the sending account.'),
  sent: amount,
  delivered: amount.describe('In units of the destination asset.'),
  state: z.enum(['running', 'completed', 'failed']),
  message: z.string().optional().describe('Why it failed, or what is known of it.'),
  startedAtMs: z.number(),
  endedAtMs: z.number().optional(),
  destinationAssetCode: z.string().optional(),
  destinationAssetScale: z.number().int().optional(),
})

const pingResult = z.strictObject({
  reached: z.boolean(),
  roundTripMs: z.number(),
  code: z.string().optional().describe('ILP error code of the reject that came back.'),
  message: z.string().optional(),
  triggeredBy: z.string().optional(),
})

const PING_TIMEOUT_MS_MAX = 30_000

export const paymentRoutes: readonly ApiRoute[] = [
  route({
    method: 'GET',
    path: '/api/admin/local-accounts',
    scope: 'payments:read',
    rateLimit: 'read',
    summary: 'Accounts of this node that one can pay from and receive to.',
    reply: z.array(localAccount),
    list: 'count',
    handler: ({ services }) => {
      const data = services.payments.localAccounts()
      return { data, count: data.length }
    },
  }),
  route({
    method: 'POST',
    path: '/api/admin/local-accounts',
    scope: 'payments:write',
    rateLimit: 'payment',
    summary: 'Open a local account with a payment pointer for tests; it lives until the node stops.',
    request: {
      body: z.strictObject({
        name: identifier.optional().describe('Default: a random name.'),
        assetCode: assetCode.optional(),
        assetScale: assetScale.optional(),
      }),
    },
    status: 201,
    reply: localAccount,
    errors: ['CONFLICT', 'NOT_SUPPORTED', 'SERVICE_UNAVAILABLE'],
    handler: async ({ services, body }) => ({
      data: await services.payments.receive({
        name: body.name,
        assetCode: body.assetCode,
        assetScale: body.assetScale,
      }),
    }),
  }),
  route({
    method: 'POST',
    path: '/api/admin/payments',
    scope: 'payments:write',
    rateLimit: 'payment',
    summary: 'Begin to pay over STREAM; the reply comes at once, progress through GET.',
    request: {
      body: z.strictObject({
        fromAccount: identifier,
        destination: z
          .string()
          .regex(/^[\x21-\x7e]{1,1024}$/, 'a payment pointer, SPSP URL or local account')
          .describe('Payment pointer (`$host/path`), SPSP URL, or the id of a local account.'),
        amount: positiveAmount.describe('Smallest units of the sending account, decimal string.'),
      }),
    },
    status: 202,
    reply: paymentView,
    errors: ['RESOURCE_NOT_FOUND', 'CONFLICT', 'NOT_SUPPORTED', 'SERVICE_UNAVAILABLE'],
    idempotent: true,
    handler: async ({ services, body }) => ({ data: await services.payments.pay(body) }),
  }),
  route({
    method: 'GET',
    path: '/api/admin/payments/:id',
    scope: 'payments:read',
    rateLimit: 'read',
    summary: 'One payment.',
    request: {
      params: z.strictObject({ id: z.string().regex(/^[A-Za-z0-9_.:~-]{1,128}$/, 'a payment id') }),
    },
    reply: paymentView,
    errors: ['RESOURCE_NOT_FOUND'],
    handler: ({ services, params }) => {
      const payment = services.payments.get(params.id)
      if (payment === undefined)
        throw new ApiError('RESOURCE_NOT_FOUND', `there is no payment "${params.id}"`)
      return { data: payment }
    },
  }),
  route({
    method: 'POST',
    path: '/api/admin/ping',
    scope: 'payments:write',
    rateLimit: 'diagnostic',
    summary: 'Send a packet without value to an ILP address through this node and time the answer.',
    request: {
      body: z.strictObject({
        address: ilpAddress,
        timeoutMs: z.number().int().min(100).max(PING_TIMEOUT_MS_MAX).default(10_000),
      }),
    },
    reply: pingResult,
    errors: ['SERVICE_UNAVAILABLE'],
    deadlineMs: PING_TIMEOUT_MS_MAX + 5_000,
    handler: async ({ services, body }) => ({
      data: await services.payments.ping(body.address, body.timeoutMs),
    }),
  }),
]

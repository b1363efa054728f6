import { z } from 'zod'
import { ApiError } from '../api-error.ts'
import { type ApiRoute, route } from '../route.ts'
import { amount, identifier, offsetPage, offsetQuery, positiveSum } from './fields.ts'
import { networkIdParams, settlementsOf } from './settlement-fields.ts'

/** Opening and closing ask the peer, twice at most, with 30 s each. */
const CHANNEL_DEADLINE_MS = 75_000

const CHANNEL_STATES = ['opening', 'open', 'closing', 'closed', 'disputed'] as const

const channelView = z.strictObject({
  id: z.string(),
  engine: z.string(),
  accountId: z.string(),
  assetCode: z.string().optional().describe('Absent when the account no longer settles.'),
  direction: z.enum(['in', 'out']).describe('`out`: we pay; `in`: we are paid.'),
  state: z.enum(CHANNEL_STATES),
  token: z.string().describe('What it holds, in the terms of the network.'),
  tokenScale: z.number().int().describe('Decimal places of the amounts below.'),
  deposit: amount.describe('Put in by the payer, so far.'),
  claimed: amount.describe('Paid out to the payee on the network, so far.'),
  unclaimed: amount.describe('Promised by the payer and not claimed yet.'),
  expiresAtMs: z
    .number()
    .optional()
    .describe('When a closing channel can be emptied by its payer; milliseconds since the epoch.'),
})

const ERRORS = ['RESOURCE_NOT_FOUND', 'CONFLICT', 'NOT_SUPPORTED', 'SERVICE_UNAVAILABLE'] as const

const channelAmount = positiveSum.describe("Smallest units of the channel's token, decimal string.")

/** Answers once the intent is stored: the channel's state shows the rest. */
const operation = {
  method: 'POST',
  scope: 'settlements:write',
  rateLimit: 'payment',
  status: 202,
  reply: channelView,
  errors: ERRORS,
  idempotent: true,
  deadlineMs: CHANNEL_DEADLINE_MS,
} as const

export const channelRoutes: readonly ApiRoute[] = [
  route({
    method: 'GET',
    path: '/api/admin/channels',
    scope: 'admin:read',
    rateLimit: 'read',
    summary: 'Payment channels of the engines that run, with what is in them.',
    description: 'Empty when no settlement engine is configured.',
    request: {
      query: offsetQuery.extend({
        accountId: identifier.optional(),
        engine: identifier.optional(),
        direction: z.enum(['in', 'out']).optional(),
        state: z.enum(CHANNEL_STATES).optional(),
      }),
    },
    reply: z.array(channelView),
    list: 'offset',
    handler: ({ services, query }) => {
      const { accountId, direction, engine, state } = query
      const found = (services.settlements?.channels() ?? []).filter(
        (channel) =>
          (accountId ?? channel.accountId) === channel.accountId &&
          (engine ?? channel.engine) === channel.engine &&
          (direction ?? channel.direction) === channel.direction &&
          (state ?? channel.state) === channel.state,
      )
      return offsetPage(found, query)
    },
  }),
  route({
    ...operation,
    path: '/api/admin/channels',
    summary: 'Open a channel to the peer of an account.',
    description:
      "Answers once it is stored: the channel is `opening` until the network has it. The engine's limits for deposits hold.",
    request: {
      body: z.strictObject({
        accountId: identifier,
        deposit: positiveSum.describe(
          "Units in which the engine counts the account's asset (`engineScale` of the account), decimal string.",
        ),
      }),
    },
    handler: async ({ services, body }) => ({
      data: await settlementsOf(services).openChannel(body.accountId, body.deposit),
    }),
  }),
  route({
    method: 'GET',
    path: '/api/admin/channels/:id',
    scope: 'admin:read',
    rateLimit: 'read',
    summary: 'One channel.',
    request: { params: networkIdParams },
    reply: channelView,
    errors: ['RESOURCE_NOT_FOUND'],
    handler: ({ services, params }) => {
      const data = services.settlements?.channel(params.id)
      if (data !== undefined) return { data }
      throw new ApiError('RESOURCE_NOT_FOUND', `no engine that runs has a channel "${params.id}"`)
    },
  }),
  route({
    ...operation,
    path: '/api/admin/channels/:id/top-up',
    summary: 'Put more into a channel in which we pay.',
    request: { params: networkIdParams, body: z.strictObject({ amount: channelAmount }) },
    handler: async ({ services, params, body }) => ({
      data: await settlementsOf(services).topUpChannel(params.id, body.amount),
    }),
  }),
  route({
    ...operation,
    path: '/api/admin/channels/:id/claim',
    summary: 'Have the network pay out what the peer has promised in a channel.',
    request: { params: networkIdParams },
    handler: async ({ services, params }) => ({
      data: await settlementsOf(services).claimChannel(params.id),
    }),
  }),
  route({
    ...operation,
    path: '/api/admin/channels/:id/close',
    summary: 'Close a channel.',
    description:
      'One in which we are paid ends at once, what is promised is claimed first. One in which we pay ends when the peer agrees, or after the delay of the channel: `expiresAtMs`.',
    request: { params: networkIdParams },
    handler: async ({ services, params }) => ({
      data: await settlementsOf(services).closeChannel(params.id),
    }),
  }),
]

import { z } from 'zod'
import { ApiError } from '../api-error.ts'
import { type ApiRoute, type RouteReply, route } from '../route.ts'
import {
  type NodeServices,
  SETTLEMENT_STATES,
  type SettlementQuery,
  type SettlementView,
} from '../services.ts'
import { acceptDifferenceRoute } from './accept-difference-route.ts'
import { beforeCursor, identifier, idParams, positiveSum, queryInteger } from './fields.ts'
import {
  networkIdParams,
  operatorReason as reason,
  reconciliationView,
  settlementAccountView,
  settlementEngineView,
  settlementsOf,
  settlementView,
} from './settlement-fields.ts'

/** A request waits behind the account's step under way, and an engine may take 30 s to take an order. */
const SETTLE_NOW_DEADLINE_MS = 45_000
/** Engines have 30 s for each statement, and what differs is looked at twice. */
const RECONCILE_DEADLINE_MS = 120_000

/** The nonce is looked for on the chain, with some 30 questions to its nodes. */
const RESUME_ENGINE_DEADLINE_MS = 60_000

const page = {
  limit: queryInteger({ min: 1, max: 1_000, fallback: 100 }),
  before: beforeCursor,
}

function listSettlements(services: NodeServices, query: SettlementQuery): RouteReply<SettlementView[]> {
  const { limit } = query
  const data = services.settlements?.list(query) ?? []
  const last = data.length < limit ? undefined : data.at(-1)
  return { data, count: data.length, pagination: { limit, nextCursor: last?.cursor ?? null } }
}

function accountOf(services: NodeServices, id: string) {
  const account = services.settlements?.account(id)
  if (account !== undefined) return account
  throw new ApiError('RESOURCE_NOT_FOUND', `there is no account "${id}" that settles`)
}

const listing: readonly ApiRoute[] = [
  route({
    method: 'GET',
    path: '/api/admin/settlements',
    scope: 'admin:read',
    rateLimit: 'read',
    summary: 'Settlements of both directions, newest first.',
    description: 'Empty when no settlement engine is configured. Settlements are kept for good.',
    request: {
      query: z.strictObject({
        ...page,
        accountId: identifier.optional().describe('Only those of this account.'),
        direction: z.enum(['in', 'out']).optional(),
        state: z.enum(SETTLEMENT_STATES).optional(),
      }),
    },
    reply: z.array(settlementView),
    list: 'cursor',
    handler: ({ services, query }) => listSettlements(services, query),
  }),
  route({
    method: 'GET',
    path: '/api/admin/settlements/suspense',
    scope: 'admin:read',
    rateLimit: 'read',
    summary: 'Credits in SUSPENSE, newest first: money that came in and that no account could be given.',
    request: { query: z.strictObject(page) },
    reply: z.array(settlementView),
    list: 'cursor',
    handler: ({ services, query }) =>
      listSettlements(services, { ...query, direction: 'in', state: 'suspended' }),
  }),
  route({
    method: 'GET',
    path: '/api/admin/settlements/:id',
    scope: 'admin:read',
    rateLimit: 'read',
    summary: 'One settlement, by its id, or one credit, by the id that the engine gave it.',
    request: { params: networkIdParams },
    reply: settlementView,
    errors: ['RESOURCE_NOT_FOUND'],
    handler: ({ services, params }) => {
      const data = services.settlements?.get(params.id)
      if (data !== undefined) return { data }
      throw new ApiError('RESOURCE_NOT_FOUND', `there is no settlement or credit "${params.id}"`)
    },
  }),
  route({
    method: 'POST',
    path: '/api/admin/settlements/:id/attribute',
    scope: 'settlements:write',
    rateLimit: 'payment',
    summary: 'Give a credit in SUSPENSE to the account that it belongs to.',
    description: 'For good. The same request again changes nothing; another account is refused.',
    request: {
      params: networkIdParams,
      body: z.strictObject({
        accountId: identifier,
        engine: identifier.optional().describe('Needed only when two engines have a credit of this id.'),
      }),
    },
    reply: settlementView,
    errors: ['RESOURCE_NOT_FOUND', 'CONFLICT', 'NOT_SUPPORTED', 'SERVICE_UNAVAILABLE'],
    idempotent: true,
    handler: async ({ services, params, body }) => ({
      data: await settlementsOf(services).attribute(params.id, body.accountId, body.engine),
    }),
  }),
  route({
    method: 'POST',
    path: '/api/admin/settlements/:id/abandon',
    scope: 'settlements:write',
    rateLimit: 'payment',
    summary: 'End an outgoing settlement by your own word, where its engine never will. Dangerous.',
    description:
      'For an engine that lost its books, or refuses for ever: look up first, where the money moves, what became of the settlement. A wrong word pays twice or not at all. Answers once the engine has stored it; the state shows the rest.',
    request: {
      params: networkIdParams,
      body: z.strictObject({
        outcome: z
          .enum(['paid', 'not-paid'])
          .describe('`paid`: the peer has the money. `not-paid`: it does not, and the amount is owed again.'),
        reason: reason.describe('How you know.'),
        doubtful: z
          .boolean()
          .default(false)
          .describe('That you have made sure: needed when the engine may have heard of the settlement.'),
      }),
    },
    status: 202,
    reply: settlementView,
    errors: ['RESOURCE_NOT_FOUND', 'CONFLICT', 'NOT_SUPPORTED', 'SERVICE_UNAVAILABLE'],
    idempotent: true,
    handler: async ({ services, params, body }) => ({
      data: await settlementsOf(services).abandon(params.id, body),
    }),
  }),
]

const accounts: readonly ApiRoute[] = [
  route({
    method: 'GET',
    path: '/api/admin/settlements/accounts',
    scope: 'admin:read',
    rateLimit: 'read',
    summary: 'Accounts that settle: their terms, what is open, remainders and pauses.',
    request: {
      query: z.strictObject({
        limit: queryInteger({ min: 1, max: 200, fallback: 100 }),
        offset: queryInteger({ min: 0, max: 10_000_000, fallback: 0 }),
      }),
    },
    reply: z.array(settlementAccountView),
    list: 'offset',
    handler: ({ services, query }) => {
      const found = services.settlements?.accounts(query) ?? { accounts: [], total: 0 }
      const { accounts: data, total } = found
      return { data, count: data.length, pagination: { total, ...query } }
    },
  }),
  route({
    method: 'GET',
    path: '/api/admin/settlements/accounts/:id',
    scope: 'admin:read',
    rateLimit: 'read',
    summary: 'One account that settles.',
    request: { params: idParams },
    reply: settlementAccountView,
    errors: ['RESOURCE_NOT_FOUND'],
    handler: ({ services, params }) => ({ data: accountOf(services, params.id) }),
  }),
  route({
    method: 'POST',
    path: '/api/admin/settlements/accounts/:id/settle-now',
    scope: 'settlements:write',
    rateLimit: 'payment',
    summary: 'Settle with the peer now, without waiting for the threshold.',
    description:
      'Answers once it is stored; the rest shows in the settlements. Never more than is owed and not yet on its way. Amounts above `maxAmount` become several settlements.',
    request: {
      params: idParams,
      body: z.strictObject({
        amount: positiveSum
          .optional()
          .describe('Smallest units of the account, decimal string. Default: all that is above `settleTo`.'),
      }),
    },
    status: 202,
    reply: z.array(settlementView),
    list: 'count',
    errors: ['RESOURCE_NOT_FOUND', 'CONFLICT', 'NOT_SUPPORTED', 'SERVICE_UNAVAILABLE'],
    idempotent: true,
    deadlineMs: SETTLE_NOW_DEADLINE_MS,
    handler: async ({ services, params, body }) => {
      const data = await settlementsOf(services).settleNow(params.id, body.amount)
      return { data, count: data.length }
    },
  }),
  route({
    method: 'POST',
    path: '/api/admin/settlements/accounts/:id/pause',
    scope: 'settlements:write',
    rateLimit: 'write',
    summary: 'Plan and hand over no settlements of the account until it is resumed, over restarts too.',
    description:
      'What an engine has already is carried to its end. Pausing a paused account keeps the first reason.',
    request: {
      params: idParams,
      body: z.strictObject({ reason: reason.describe('Why; shown until it is resumed.') }),
    },
    reply: settlementAccountView,
    errors: ['RESOURCE_NOT_FOUND', 'NOT_SUPPORTED'],
    handler: async ({ services, params, body }) => {
      await settlementsOf(services).pause(params.id, body.reason)
      return { data: accountOf(services, params.id) }
    },
  }),
  route({
    method: 'POST',
    path: '/api/admin/settlements/accounts/:id/resume',
    scope: 'settlements:write',
    rateLimit: 'write',
    summary: 'End the pause of an account.',
    description: 'A pause by the configuration stays.',
    request: { params: idParams },
    reply: settlementAccountView,
    errors: ['RESOURCE_NOT_FOUND', 'NOT_SUPPORTED'],
    handler: async ({ services, params }) => {
      await settlementsOf(services).resume(params.id)
      return { data: accountOf(services, params.id) }
    },
  }),
]

const engines: readonly ApiRoute[] = [
  route({
    method: 'GET',
    path: '/api/admin/settlements/engines',
    scope: 'admin:read',
    rateLimit: 'read',
    summary:
      'Engines of the configuration: whether they run, what keeps them from it, and what waits for them.',
    description: 'Whether their networks answer is in `/health`.',
    reply: z.array(settlementEngineView),
    list: 'count',
    handler: ({ services }) => {
      const data = services.settlements?.engines() ?? []
      return { data, count: data.length }
    },
  }),
  route({
    method: 'POST',
    path: '/api/admin/settlements/engines/:name/resume',
    scope: 'settlements:write',
    rateLimit: 'payment',
    summary: 'End the halt of an engine that `trouble` tells of, after its cause was removed.',
    description:
      'Only when you have made sure: an engine halts where going on could pay twice. `CONFLICT` when it is not halted; `SERVICE_UNAVAILABLE` when its network does not show now that going on is safe.',
    request: { params: z.strictObject({ name: identifier }) },
    reply: settlementEngineView,
    errors: ['RESOURCE_NOT_FOUND', 'CONFLICT', 'NOT_SUPPORTED', 'SERVICE_UNAVAILABLE'],
    idempotent: true,
    deadlineMs: RESUME_ENGINE_DEADLINE_MS,
    handler: async ({ services, params }) => ({
      data: await settlementsOf(services).resumeEngine(params.name),
    }),
  }),
]

const reconciliation: readonly ApiRoute[] = [
  route({
    method: 'GET',
    path: '/api/admin/settlements/reconcile',
    scope: 'admin:read',
    rateLimit: 'read',
    summary: 'What the last comparison of ledger, journal and engines found.',
    reply: reconciliationView,
    errors: ['RESOURCE_NOT_FOUND', 'NOT_SUPPORTED'],
    handler: ({ services }) => {
      const data = settlementsOf(services).lastReconciliation()
      if (data !== undefined) return { data }
      throw new ApiError('RESOURCE_NOT_FOUND', 'nothing was compared since the start: ask for it with POST')
    },
  }),
  route({
    method: 'POST',
    path: '/api/admin/settlements/reconcile',
    scope: 'admin:read',
    rateLimit: 'diagnostic',
    summary: 'Compare ledger, journal and engines now. Changes nothing.',
    description:
      'A request that comes while one is under way gets its report. After the deadline of two minutes it goes on; GET has its report then.',
    reply: reconciliationView,
    errors: ['NOT_SUPPORTED', 'SERVICE_UNAVAILABLE'],
    deadlineMs: RECONCILE_DEADLINE_MS,
    handler: async ({ services }) => ({ data: await settlementsOf(services).reconcile() }),
  }),
]

export const settlementRoutes: readonly ApiRoute[] = [
  ...listing,
  ...accounts,
  ...engines,
  acceptDifferenceRoute,
  ...reconciliation,
]

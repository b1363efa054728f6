import { z } from 'zod'
import type { AccountBalance, HistoryEntry } from '../../ledger/ledger.ts'
import { ApiError } from '../api-error.ts'
import { type ApiRoute, route } from '../route.ts'
import type { NodeServices } from '../services.ts'
import { amount, beforeCursor, identifier, offsetPage, offsetQuery, queryInteger } from './fields.ts'

const KINDS = [
  'clearing',
  'line',
  'fx',
  'revenue',
  'settlement',
  'suspense',
  'capital',
  'loss',
  'transit',
] as const

const balanceView = z.strictObject({
  id: z.string().describe('Peer or local account; `<kind>:<asset>` for the books of the node itself.'),
  kind: z.enum(KINDS),
  assetCode: z.string(),
  assetScale: z.number().int(),
  debitsPosted: amount,
  creditsPosted: amount,
  debitsPending: amount,
  creditsPending: amount,
  balance: amount.describe('Credits minus debits; for a peer: above zero we owe it.'),
})

const historyView = z.strictObject({
  cursor: z.string(),
  id: z.string(),
  kind: z.enum(['packets', 'settlement-in', 'settlement-out', 'credit-line', 'loss']),
  debitAccount: z.string(),
  creditAccount: z.string(),
  amount,
  packetCount: z.number().int().min(0).describe('Packets that this entry sums up.'),
  state: z.enum(['posted', 'pending', 'voided']),
  timestampMs: z.number(),
})

const selfCheck = z.strictObject({
  balanced: z.boolean().describe('Debits equal credits in every asset.'),
  assets: z.array(
    z.strictObject({ assetCode: z.string(), assetScale: z.number().int(), debits: amount, credits: amount }),
  ),
})

function presentBalance(account: AccountBalance): z.input<typeof balanceView> {
  return {
    ...account,
    debitsPosted: account.debitsPosted.toString(),
    creditsPosted: account.creditsPosted.toString(),
    debitsPending: account.debitsPending.toString(),
    creditsPending: account.creditsPending.toString(),
    balance: account.balance.toString(),
  }
}

function presentEntry(entry: HistoryEntry): z.input<typeof historyView> {
  return { ...entry, amount: entry.amount.toString() }
}

/** Books of the node itself have a colon in their id. */
const accountParams = z.strictObject({
  id: z.string().regex(/^[A-Za-z0-9_~:.-]{1,160}$/, 'an account id as the list shows it'),
})

async function findBalances(services: NodeServices, id: string): Promise<AccountBalance[]> {
  const found = (await services.accounts.balances()).filter((account) => account.id === id)
  if (found.length === 0) throw new ApiError('RESOURCE_NOT_FOUND', `there is no account "${id}"`)
  return found
}

export const accountRoutes: readonly ApiRoute[] = [
  route({
    method: 'GET',
    path: '/api/admin/accounts',
    scope: 'admin:read',
    rateLimit: 'read',
    summary: 'Balances of all ledger accounts.',
    request: {
      query: offsetQuery.extend({ kind: z.enum(KINDS).optional().describe('Only accounts of this kind.') }),
    },
    reply: z.array(balanceView),
    list: 'offset',
    errors: ['SERVICE_UNAVAILABLE'],
    handler: async ({ services, query }) => {
      const all = await services.accounts.balances()
      const chosen = query.kind === undefined ? all : all.filter((account) => account.kind === query.kind)
      const page = offsetPage(chosen, query)
      return { ...page, data: page.data.map(presentBalance) }
    },
  }),
  route({
    method: 'GET',
    path: '/api/admin/accounts/:id',
    scope: 'admin:read',
    rateLimit: 'read',
    summary: 'Balances under one account id: clearing account and credit line of a peer, or one book.',
    request: { params: accountParams },
    reply: z.array(balanceView),
    list: 'count',
    errors: ['RESOURCE_NOT_FOUND', 'SERVICE_UNAVAILABLE'],
    handler: async ({ services, params }) => {
      const data = (await findBalances(services, params.id)).map(presentBalance)
      return { data, count: data.length }
    },
  }),
  route({
    method: 'GET',
    path: '/api/admin/accounts/:id/history',
    scope: 'admin:read',
    rateLimit: 'read',
    summary: 'What moved on an account, newest first.',
    request: {
      params: z.strictObject({ id: identifier }),
      query: z.strictObject({
        limit: queryInteger({ min: 1, max: 1_000, fallback: 100 }),
        before: beforeCursor,
      }),
    },
    reply: z.array(historyView),
    list: 'cursor',
    errors: ['RESOURCE_NOT_FOUND', 'SERVICE_UNAVAILABLE'],
    handler: async ({ services, params, query }) => {
      if (!services.accounts.has(params.id)) {
        throw new ApiError('RESOURCE_NOT_FOUND', `there is no account "${params.id}"`)
      }
      const { limit, before } = query
      const entries = await services.accounts.history({
        accountId: params.id,
        limit,
        ...(before === undefined ? {} : { before }),
      })
      const last = entries.length < limit ? undefined : entries.at(-1)
      const pagination = { limit, nextCursor: last?.cursor ?? null }
      return { data: entries.map(presentEntry), count: entries.length, pagination }
    },
  }),
  route({
    method: 'GET',
    path: '/api/admin/ledger/self-check',
    scope: 'admin:read',
    rateLimit: 'diagnostic',
    summary: 'Checks that debits equal credits in every asset.',
    reply: selfCheck,
    errors: ['SERVICE_UNAVAILABLE'],
    deadlineMs: 60_000,
    handler: async ({ services }) => {
      const check = await services.accounts.selfCheck()
      const assets = check.assets.map((asset) => ({
        ...asset,
        debits: asset.debits.toString(),
        credits: asset.credits.toString(),
      }))
      return { data: { balanced: check.balanced, assets } }
    },
  }),
]

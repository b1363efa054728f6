import { z } from 'zod'
import { ApiError } from '../api-error.ts'
import { type ApiRoute, route } from '../route.ts'
import { assetCode } from './fields.ts'

const rateStatus = z.strictObject({
  source: z.enum(['fixed', 'http']),
  prices: z.record(z.string(), z.string()).describe('Price of one whole unit in the base asset.'),
  baseAsset: z.string(),
  updatedAtMs: z.number().optional(),
  stale: z.boolean().describe('Older than allowed: packets that need a rate get T00.'),
  lastError: z.string().optional(),
})

const quote = z.strictObject({
  from: z.string(),
  to: z.string(),
  rate: z.string().describe('Whole units of `to` per whole unit of `from`, before spread, rounded down.'),
})

export const rateRoutes: readonly ApiRoute[] = [
  route({
    method: 'GET',
    path: '/api/admin/rates',
    scope: 'admin:read',
    rateLimit: 'read',
    summary: 'Exchange rates, where they come from and how old they are.',
    reply: rateStatus,
    handler: ({ services }) => ({ data: services.rates.status() }),
  }),
  route({
    method: 'GET',
    path: '/api/admin/rates/quote',
    scope: 'admin:read',
    rateLimit: 'read',
    summary: 'The rate between two assets.',
    request: { query: z.strictObject({ from: assetCode, to: assetCode }) },
    reply: quote,
    errors: ['RESOURCE_NOT_FOUND'],
    handler: ({ services, query }) => {
      const rate = services.rates.quote(query.from, query.to)
      if (rate === undefined) {
        const message = `no rate from ${query.from} to ${query.to}, or it is too old`
        throw new ApiError('RESOURCE_NOT_FOUND', message)
      }
      return { data: { from: query.from, to: query.to, rate } }
    },
  }),
]

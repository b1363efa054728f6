import { z } from 'zod'
import { ApiError } from '../api-error.ts'
import { type ApiRoute, route } from '../route.ts'
import { identifier, ilpAddress, offsetPage, offsetQuery } from './fields.ts'

const prefix = z
  .string()
  .max(1023)
  .regex(
    /^$|^(g|private|example|self|test[1-3]?|local)(\.[A-Za-z0-9_~-]+)*$/,
    'an ILP address prefix, or "" for the default route',
  )

const routeView = z.strictObject({
  prefix: z.string().describe('Empty: the default route.'),
  peerId: z.string(),
  source: z.enum(['config', 'admin', 'child', 'default', 'local']),
})

export const routingRoutes: readonly ApiRoute[] = [
  route({
    method: 'GET',
    path: '/api/admin/routes',
    scope: 'admin:read',
    rateLimit: 'read',
    summary: 'The routing table.',
    request: { query: offsetQuery },
    reply: z.array(routeView),
    list: 'offset',
    handler: ({ services, query }) => offsetPage(services.routes.list(), query),
  }),
  route({
    method: 'PUT',
    path: '/api/admin/routes',
    scope: 'admin:write',
    rateLimit: 'write',
    summary: 'Add or replace a static route; it is kept over restarts.',
    request: { body: z.strictObject({ prefix, peerId: identifier }) },
    reply: routeView,
    errors: ['RESOURCE_NOT_FOUND', 'CONFLICT', 'SERVICE_UNAVAILABLE'],
    handler: async ({ services, body }) => ({ data: await services.routes.put(body.prefix, body.peerId) }),
  }),
  route({
    method: 'DELETE',
    path: '/api/admin/routes',
    scope: 'admin:write',
    rateLimit: 'write',
    summary: 'Remove a static route that was added here.',
    request: { query: z.strictObject({ prefix }) },
    reply: z.strictObject({ removed: z.string() }),
    errors: ['RESOURCE_NOT_FOUND', 'CONFLICT', 'SERVICE_UNAVAILABLE'],
    handler: async ({ services, query }) => {
      await services.routes.remove(query.prefix)
      return { data: { removed: query.prefix } }
    },
  }),
  route({
    method: 'GET',
    path: '/api/admin/routes/resolve',
    scope: 'admin:read',
    rateLimit: 'read',
    summary: 'Which route an address takes.',
    request: { query: z.strictObject({ address: ilpAddress }) },
    reply: routeView,
    errors: ['RESOURCE_NOT_FOUND'],
    handler: ({ services, query }) => {
      const found = services.routes.resolve(query.address)
      if (found === undefined) {
        throw new ApiError('RESOURCE_NOT_FOUND', `no route leads to ${query.address}; packets to it get F02`)
      }
      return { data: found }
    },
  }),
]

import { z } from 'zod'
import { LOG_LEVELS } from '../../observability/logger.ts'
import { type ApiRoute, route } from '../route.ts'

const nodeInfo = z.strictObject({
  nodeId: z.string(),
  version: z.string(),
  ilpAddress: z.string().optional().describe('Absent while a parent has not told us yet.'),
  startedAtMs: z.number().describe('Milliseconds since the Unix epoch.'),
  state: z.enum(['starting', 'running', 'draining']),
  ledger: z.strictObject({
    backend: z.string(),
    mode: z.string(),
    relay: z.string(),
    available: z.boolean(),
    latencyMs: z.number().optional(),
  }),
  listening: z.array(z.string()).describe('Addresses at which peers connect.'),
  packetsInFlight: z.number().int().min(0),
})

const logLevel = z.strictObject({ level: z.enum(LOG_LEVELS) })

export const nodeRoutes: readonly ApiRoute[] = [
  route({
    method: 'GET',
    path: '/api/admin/node',
    scope: 'admin:read',
    rateLimit: 'read',
    summary: 'Who this node is and what it does.',
    reply: nodeInfo,
    handler: ({ services }) => ({ data: services.node.info() }),
  }),
  route({
    method: 'GET',
    path: '/api/admin/log-level',
    scope: 'admin:read',
    rateLimit: 'read',
    summary: 'How much is logged.',
    reply: z.strictObject({ level: z.string() }),
    handler: ({ services }) => ({ data: { level: services.logs.level() } }),
  }),
  route({
    method: 'PUT',
    path: '/api/admin/log-level',
    scope: 'admin:write',
    rateLimit: 'write',
    summary: 'Change how much is logged, until the next start.',
    request: { body: logLevel },
    reply: z.strictObject({ level: z.string() }),
    handler: ({ services, body }) => {
      services.logs.setLevel(body.level)
      return { data: { level: services.logs.level() } }
    },
  }),
]

import { z } from 'zod'
import type { PageReply, PageRoute } from '../route.ts'
import { toJson } from '../to-json.ts'

const JSON_TYPE = 'application/json'

const dependency = z.strictObject({
  status: z.enum(['up', 'down']),
  latencyMs: z
    .number()
    .int()
    .min(0)
    .optional()
    .describe('Milliseconds the last probe took; absent when down.'),
})

const dependencies = z
  .object({ tigerbeetle: dependency.describe('The ledger, whatever keeps it.') })
  .catchall(dependency)

const head = {
  uptime: z.number().int().min(0).describe('Whole seconds since start.'),
  peersConnected: z.number().int().min(0),
  totalPeers: z.number().int().min(0).describe('Configured peers; children that dial in do not count.'),
  timestamp: z.iso.datetime(),
  nodeId: z.string(),
}

const startingSchema = z.strictObject({ status: z.literal('starting'), ...head })

const healthSchema = z.strictObject({
  status: z.enum(['healthy', 'degraded', 'unhealthy']),
  ...head,
  version: z.string(),
  dependencies,
  sla: z.strictObject({
    packetSuccessRate: z.number().min(0).max(1),
    settlementSuccessRate: z.number().min(0).max(1),
    p99LatencyMs: z.number().min(0),
  }),
})

const readinessSchema = z.strictObject({
  status: z.enum(['ready', 'not_ready']),
  dependencies: dependencies.optional().describe('Absent while starting.'),
  reason: z.string().optional().describe('Why it is not ready.'),
  timestamp: z.iso.datetime(),
})

const startupSchema = z.strictObject({
  status: z.enum(['started', 'starting']),
  timestamp: z.iso.datetime(),
})

const livenessSchema = z.strictObject({ status: z.literal('alive'), timestamp: z.iso.datetime() })

const failureSchema = z.strictObject({ status: z.literal('unhealthy'), error: z.string() })

const failed = { meaning: 'Unexpected fault.', contentType: JSON_TYPE, schema: failureSchema }

function json(status: number, body: unknown): PageReply {
  return { status, contentType: JSON_TYPE, body: toJson(body) }
}

const page = { kind: 'page', method: 'GET', scope: 'public', rateLimit: 'none' } as const

/** What Kubernetes and Prometheus ask for. None of them waits for anything outside the process. */
export const healthRoutes: readonly PageRoute[] = [
  {
    ...page,
    path: '/health',
    summary: 'How the node is, with its dependencies and service levels.',
    replies: {
      200: { meaning: 'Healthy or degraded.', contentType: JSON_TYPE, schema: healthSchema },
      503: {
        meaning: 'Unhealthy or starting.',
        contentType: JSON_TYPE,
        schema: z.union([healthSchema, startingSchema]),
      },
      500: failed,
    },
    failure: 'Failed to retrieve health status',
    handler: ({ prober }) => {
      const health = prober.health()
      return json(health.status === 'healthy' || health.status === 'degraded' ? 200 : 503, health)
    },
  },
  {
    ...page,
    path: '/health/live',
    summary: 'Liveness: the process runs and answers.',
    replies: { 200: { meaning: 'Alive.', contentType: JSON_TYPE, schema: livenessSchema }, 500: failed },
    failure: 'Failed to retrieve liveness',
    handler: ({ prober }) => json(200, prober.liveness()),
  },
  {
    ...page,
    path: '/health/ready',
    summary: 'Readiness: started, ledger reachable, not draining.',
    replies: {
      200: { meaning: 'Takes packets.', contentType: JSON_TYPE, schema: readinessSchema },
      503: { meaning: 'Does not; `reason` tells why.', contentType: JSON_TYPE, schema: readinessSchema },
      500: failed,
    },
    failure: 'Failed to retrieve readiness',
    handler: ({ prober }) => {
      const readiness = prober.readiness()
      return json(readiness.status === 'ready' ? 200 : 503, readiness)
    },
  },
  {
    ...page,
    path: '/health/startup',
    summary: 'Startup: whether all parts have started once.',
    replies: {
      200: { meaning: 'Started.', contentType: JSON_TYPE, schema: startupSchema },
      503: { meaning: 'Starting.', contentType: JSON_TYPE, schema: startupSchema },
      500: failed,
    },
    failure: 'Failed to retrieve startup status',
    handler: ({ prober }) => {
      const startup = prober.startup()
      return json(startup.status === 'started' ? 200 : 503, startup)
    },
  },
  {
    ...page,
    path: '/metrics',
    summary: 'Metrics in the text format of Prometheus.',
    replies: {
      200: { meaning: 'The metrics.', contentType: 'text/plain; version=0.0.4; charset=utf-8' },
      500: failed,
    },
    failure: 'Failed to collect metrics',
    handler: async ({ metrics }) => ({
      status: 200,
      contentType: metrics.contentType,
      body: await metrics.expose(),
    }),
  },
]

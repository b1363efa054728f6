import { z } from 'zod'
import { hideSecrets } from '../hide-secrets.ts'
import { type Route, route } from '../route.ts'
import { toJson } from '../to-json.ts'

const reloadResult = z.strictObject({
  applied: z.array(z.string()).describe('Settings that count from now on.'),
  needsRestart: z.array(z.string()).describe('Changed settings that count after the next start only.'),
})

export const configRoutes: readonly Route[] = [
  route({
    method: 'GET',
    path: '/api/admin/config',
    scope: 'admin:read',
    rateLimit: 'read',
    summary: 'The effective configuration, secrets hidden.',
    reply: z.record(z.string(), z.unknown()),
    handler: ({ services }) => ({ data: hideSecrets(services.config.view()) as Record<string, unknown> }),
  }),
  route({
    method: 'POST',
    path: '/api/admin/config/reload',
    scope: 'admin:write',
    rateLimit: 'diagnostic',
    summary: 'Read the configuration file again and take over what can be changed at run time.',
    reply: reloadResult,
    errors: ['CONFLICT', 'SERVICE_UNAVAILABLE'],
    handler: async ({ services }) => ({ data: await services.config.reload() }),
  }),
  {
    kind: 'page',
    method: 'GET',
    path: '/api/admin/openapi.json',
    scope: 'admin:read',
    rateLimit: 'read',
    summary: 'This API as an OpenAPI 3.1 document, without the envelope.',
    replies: { 200: { meaning: 'The document.', contentType: 'application/json; charset=utf-8' } },
    failure: 'Failed to describe the API',
    handler: ({ openApi }) => ({
      status: 200,
      contentType: 'application/json; charset=utf-8',
      body: toJson(openApi()),
    }),
  },
]

import type { z } from 'zod'
import { API_ERRORS } from './api-error.ts'
import { errorsOf, tagOf, toSchema } from './openapi.ts'
import { RATE_CLASSES } from './rate-limiter.ts'
import type { ApiRoute, PageRoute, Route } from './route.ts'
import { SCOPES } from './scopes.ts'

/** The page `docs/reference/admin-api.md`. */
export function adminReference(routes: readonly Route[]): string {
  const pages = routes.filter((route) => route.kind === 'page')
  const operations = routes.filter((route) => route.kind === 'api')
  return [
    ...introduction(),
    ...scopes(),
    ...rateLimits(),
    ...errors(),
    '## Pages without the envelope',
    '',
    ...pages.flatMap(describePage),
    ...[...new Set(operations.map(tagOf))].flatMap((tag) => [
      `## ${tag}`,
      '',
      ...operations.filter((route) => tagOf(route) === tag).flatMap(describeOperation),
    ]),
  ].join('\n')
}

function introduction(): string[] {
  return [
    '# Operator API',
    '',
    'Generated from the source; do not edit. The same as an OpenAPI 3.1 document: [openapi.json](openapi.json), or',
    '`GET /api/admin/openapi.json` of a running node. [health-and-metrics.md](../health-and-metrics.md) explains the',
    'health endpoints.',
    '',
    'Everything below `/api` needs an operator token, `Authorization: Bearer <token>`; mint one with `causeway token`.',
    'Bodies are JSON in UTF-8, at most 1 MiB. Replies:',
    '',
    '```json',
    '{ "success": true, "data": {}, "timestamp": "2026-01-23T10:30:00.000Z" }',
    '```',
    '',
    '```json',
    '{',
    '  "success": false,',
    '  "data": null,',
    '  "error": { "code": "VALIDATION_ERROR", "message": "...", "details": [{ "field": "id", "message": "..." }] },',
    '  "statusCode": 400,',
    '  "timestamp": "2026-01-23T10:30:00.000Z",',
    '  "requestId": "req_..."',
    '}',
    '```',
    '',
    'Lists carry `count`, and `pagination` where they come in pages. Amounts are decimal strings in the smallest units',
    'of the asset. Every reply carries `X-Request-Id`: the one sent, when it is 1 to 64 letters, digits, `.`, `_` or',
    '`-`, else a new one. Changes are logged with it and with the subject of the token.',
    '',
  ]
}

function scopes(): string[] {
  const rows = Object.entries(SCOPES).map(([scope, meaning]) => `| \`${scope}\` | ${meaning} |`)
  return ['## Scopes', '', '| Scope | Allows |', '| --- | --- |', ...rows, '']
}

function rateLimits(): string[] {
  const rows = Object.entries(RATE_CLASSES).map(
    ([name, { limit, windowMs }]) => `| \`${name}\` | ${limit} per ${windowMs / 1000} s |`,
  )
  return [
    '## Rate limits',
    '',
    'Counted per subject of the token and class; without a valid token (`authentication`) and for unknown paths',
    '(`unmatched`) per client address. Replies below `/api` carry `X-RateLimit-Limit`, `X-RateLimit-Remaining` and',
    '`X-RateLimit-Reset` (Unix seconds); above the limit comes 429 with `Retry-After`. An address that has used up',
    '`authentication` waits even with a valid token. Health and metrics have no limit.',
    '',
    '| Class | Limit |',
    '| --- | --- |',
    ...rows,
    '',
  ]
}

function errors(): string[] {
  const rows = Object.entries(API_ERRORS).map(
    ([code, { status, meaning }]) => `| \`${code}\` | ${status} | ${meaning} |`,
  )
  return ['## Error codes', '', '| Code | Status | Meaning |', '| --- | --- | --- |', ...rows, '']
}

function describePage(route: PageRoute): string[] {
  const replies = Object.entries(route.replies).map(
    ([status, { meaning, contentType }]) => `- ${status} (\`${contentType}\`): ${meaning}`,
  )
  const scope = route.scope === 'public' ? 'No token needed.' : `Scope \`${route.scope}\`.`
  return [`### ${route.method} ${route.path}`, '', `${route.summary} ${scope}`, '', ...replies, '']
}

function describeOperation(route: ApiRoute): string[] {
  const lines = [`### ${route.method} ${route.path}`, '', route.summary, '']
  if (route.description !== undefined) lines.push(route.description, '')
  lines.push(`Scope \`${route.scope}\`, rate limit \`${route.rateLimit}\`, answers ${route.status}.`, '')
  if (route.idempotent) {
    lines.push(
      'Understands `Idempotency-Key` (up to 128 characters, remembered for 24 hours, also over a restart):',
      'the same key with the same path and body, under a token of the same subject, gives the first reply and begins',
      'nothing anew. Where the first request ended without one, by a fault or the end of the node, it is `OUTCOME_UNKNOWN`.',
      '',
    )
  }
  const { params, query, body } = route.request
  lines.push(...fieldTable('Path', params, 'input'), ...fieldTable('Query', query, 'input'))
  lines.push(...fieldTable('Body', route.bodyDoc ?? body, 'input'))
  lines.push(...fieldTable(route.list === undefined ? 'Data' : 'Each entry of data', route.reply, 'output'))
  const codes = errorsOf(route).map((code) => `\`${code}\``)
  lines.push(`Errors: ${codes.join(', ')}.`, '')
  return lines
}

interface FieldSchema {
  type?: string
  description?: string
  enum?: unknown[]
  const?: unknown
  default?: unknown
  anyOf?: FieldSchema[]
  oneOf?: FieldSchema[]
  items?: FieldSchema
  properties?: Record<string, FieldSchema>
  required?: string[]
}

function fieldTable(title: string, schema: z.ZodType | undefined, io: 'input' | 'output'): string[] {
  if (schema === undefined) return []
  const json = toSchema(schema, io) as FieldSchema
  const rows = fieldRows((json.type === 'array' ? json.items : json) ?? {}, '')
  if (rows.length === 0) return []
  const needed = io === 'input' ? 'Needed' : 'Always there'
  return [`${title}:`, '', `| Field | Type | ${needed} | Meaning |`, '| --- | --- | --- | --- |', ...rows, '']
}

function fieldRows(schema: FieldSchema, parent: string): string[] {
  return Object.entries(schema.properties ?? {}).flatMap(([name, field]) => {
    const path = `${parent}${name}`
    const needed = (schema.required ?? []).includes(name) ? 'yes' : 'no'
    const fallback = field.default === undefined ? '' : ` Default \`${JSON.stringify(field.default)}\`.`
    const meaning = `${field.description ?? ''}${fallback}`.trim().replaceAll('|', '\\|')
    const inner = field.type === 'array' ? field.items : field
    const below = fieldRows(inner ?? {}, field.type === 'array' ? `${path}[].` : `${path}.`)
    return [`| \`${path}\` | ${typeOf(field)} | ${needed} | ${meaning} |`, ...below]
  })
}

function typeOf(field: FieldSchema): string {
  if (field.enum !== undefined) return field.enum.map((value) => `\`${String(value)}\``).join(', ')
  if (field.const !== undefined) return `\`${String(field.const)}\``
  if (field.type === 'array') return `list of ${typeOf(field.items ?? {})}`
  const choices = field.anyOf ?? field.oneOf
  if (choices !== undefined) return choices.map(typeOf).join(' or ')
  return field.type ?? 'any'
}

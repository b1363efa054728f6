import { z } from 'zod'
import { API_ERRORS, type ApiErrorCode } from './api-error.ts'
import { RATE_CLASSES } from './rate-limiter.ts'
import { type ApiRoute, changesSomething, type PageRoute, type Route } from './route.ts'
import { SCOPES } from './scopes.ts'

type Json = Record<string, unknown>

/** Errors that every operation can answer. */
const COMMON_ERRORS: readonly ApiErrorCode[] = [
  'AUTHENTICATION_REQUIRED',
  'AUTHENTICATION_FAILED',
  'PERMISSION_DENIED',
  'RATE_LIMIT_EXCEEDED',
  'INTERNAL_SERVER_ERROR',
]

const BODY_ERRORS: readonly ApiErrorCode[] = ['PAYLOAD_TOO_LARGE', 'UNSUPPORTED_MEDIA_TYPE']

/** Codes that an operation can answer, in the order of their status. */
export function errorsOf(route: ApiRoute): ApiErrorCode[] {
  const { params, query, body } = route.request
  const codes = new Set<ApiErrorCode>([...COMMON_ERRORS, ...route.errors])
  if ((params ?? query ?? body) !== undefined) codes.add('VALIDATION_ERROR')
  if (body !== undefined) for (const code of BODY_ERRORS) codes.add(code)
  if (changesSomething(route)) codes.add('OUTCOME_UNKNOWN')
  return [...codes].sort((a, b) => API_ERRORS[a].status - API_ERRORS[b].status)
}

/** The API as an OpenAPI 3.1 document. */
export function openApiDocument(routes: readonly Route[], info: { version: string }): Json {
  const paths: Record<string, Json> = {}
  for (const route of routes) {
    const path = route.path.replace(/:([A-Za-z]+)/g, '{$1}')
    paths[path] = {
      ...paths[path],
      [route.method.toLowerCase()]: route.kind === 'api' ? apiOperation(route) : pageOperation(route),
    }
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'Causeway operator API',
      version: info.version,
      description: 'Health, metrics and administration of an Interledger connector node.',
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    servers: [{ url: 'http://127.0.0.1:8080' }],
    paths,
    components: {
      securitySchemes: {
        operatorToken: {
          type: 'http',
          scheme: 'bearer',
          bearerFormat: 'JWT',
          description: `Mint one with \`causeway token\`. Scopes: ${Object.entries(SCOPES)
            .map(([scope, meaning]) => `\`${scope}\`: ${meaning}`)
            .join(' ')}`,
        },
      },
      headers: {
        'X-RateLimit-Limit': { schema: { type: 'integer' }, description: 'Requests per window.' },
        'X-RateLimit-Remaining': { schema: { type: 'integer' }, description: 'Requests left in it.' },
        'X-RateLimit-Reset': { schema: { type: 'integer' }, description: 'Unix time at which it ends.' },
      },
      responses: sharedResponses(routes),
      schemas: { Error: errorSchema() },
    },
  }
}

function apiOperation(route: ApiRoute): Json {
  const { limit, windowMs } = RATE_CLASSES[route.rateLimit]
  const requestBody = route.bodyDoc ?? route.request.body
  return {
    operationId: operationId(route),
    summary: route.summary,
    ...(route.description === undefined ? {} : { description: route.description }),
    tags: [tagOf(route)],
    security: [{ operatorToken: [route.scope] }],
    'x-rate-limit': { class: route.rateLimit, limit, windowSeconds: windowMs / 1000 },
    parameters: parametersOf(route),
    ...(requestBody === undefined
      ? {}
      : {
          requestBody: {
            required: true,
            content: { 'application/json': { schema: toSchema(requestBody, 'input') } },
          },
        }),
    responses: {
      [route.status]: {
        description: 'Done.',
        headers: rateLimitHeaders(),
        content: { 'application/json': { schema: envelope(route) } },
      },
      ...errorResponses(errorsOf(route)),
    },
  }
}

function pageOperation(route: PageRoute): Json {
  const responses: Json = {}
  for (const [status, { meaning, contentType, schema }] of Object.entries(route.replies)) {
    const media = (contentType.split(';')[0] as string).trim()
    const content = schema === undefined ? {} : { schema: toSchema(schema, 'output') }
    responses[status] = { description: meaning, content: { [media]: content } }
  }
  return {
    operationId: operationId(route),
    summary: route.summary,
    tags: [tagOf(route)],
    security: route.scope === 'public' ? [] : [{ operatorToken: [route.scope] }],
    responses: route.scope === 'public' ? responses : { ...responses, ...errorResponses(COMMON_ERRORS) },
  }
}

/** `getPeersById` and the like: stable as long as method and path are. */
function operationId(route: Route): string {
  const words = route.path
    .replace(/^\/api\/admin/, '')
    .replace(/:([a-z]+)/g, 'by-$1')
    .split(/[^A-Za-z0-9]+/)
    .filter((word) => word !== '')
    .map((word) => `${word[0]?.toUpperCase()}${word.slice(1)}`)
  return `${route.method.toLowerCase()}${words.join('')}`
}

/** The first word of the path after `/api/admin`. */
export function tagOf(route: Route): string {
  return (route.path.replace(/^\/api\/admin/, '').split('/')[1] as string).replace('openapi.json', 'config')
}

function parametersOf(route: ApiRoute): Json[] {
  const parameters = [...fieldsOf(route.request.params, 'path'), ...fieldsOf(route.request.query, 'query')]
  if (route.idempotent) {
    const description =
      'For 24 hours, also over a restart, the same key of the same subject gives the reply of the first request and begins nothing anew.'
    const schema = { type: 'string', minLength: 1, maxLength: 128 }
    parameters.push({ name: 'Idempotency-Key', in: 'header', required: false, description, schema })
  }
  return parameters
}

function fieldsOf(schema: z.ZodType | undefined, place: 'path' | 'query'): Json[] {
  if (schema === undefined) return []
  const object = toSchema(schema, 'input') as { properties?: Record<string, Json>; required?: string[] }
  return Object.entries(object.properties ?? {}).map(([name, field]) => {
    const { description, ...rest } = field
    const required = place === 'path' || (object.required ?? []).includes(name)
    return { name, in: place, required, ...(description === undefined ? {} : { description }), schema: rest }
  })
}

function envelope(route: ApiRoute): Json {
  const properties: Json = { success: { const: true }, data: toSchema(route.reply, 'output') }
  const required = ['success', 'data', 'timestamp']
  if (route.list !== undefined) {
    properties.count = { type: 'integer', description: 'Entries in this reply.' }
    required.push('count')
  }
  if (route.list === 'offset' || route.list === 'cursor') {
    properties.pagination = paginationSchema(route.list)
    required.push('pagination')
  }
  properties.timestamp = { type: 'string', format: 'date-time' }
  return { type: 'object', properties, required, additionalProperties: false }
}

function paginationSchema(kind: 'offset' | 'cursor'): Json {
  const integer = { type: 'integer' }
  const properties =
    kind === 'offset'
      ? { total: integer, limit: integer, offset: integer }
      : { limit: integer, nextCursor: { type: ['string', 'null'] } }
  return { type: 'object', properties, required: Object.keys(properties), additionalProperties: false }
}

function errorResponses(codes: readonly ApiErrorCode[]): Json {
  const byStatus = Map.groupBy(codes, (code) => API_ERRORS[code].status)
  const responses: Json = {}
  for (const [status, list] of byStatus) {
    responses[status] = { $ref: `#/components/responses/${list.join('.')}` }
  }
  return responses
}

/** Every set of codes that share a status in some operation, described once. */
function sharedResponses(routes: readonly Route[]): Json {
  const responses: Json = {}
  for (const route of routes) {
    const codes = route.kind === 'api' ? errorsOf(route) : COMMON_ERRORS
    for (const list of Map.groupBy(codes, (code) => API_ERRORS[code].status).values()) {
      responses[list.join('.')] = {
        description: list.map((code) => `${code}: ${API_ERRORS[code].meaning}`).join(' '),
        headers: rateLimitHeaders(),
        content: { 'application/json': { schema: { $ref: '#/components/schemas/Error' } } },
      }
    }
  }
  return responses
}

function rateLimitHeaders(): Json {
  const names = ['X-RateLimit-Limit', 'X-RateLimit-Remaining', 'X-RateLimit-Reset']
  return Object.fromEntries(names.map((name) => [name, { $ref: `#/components/headers/${name}` }]))
}

function errorSchema(): Json {
  return toSchema(
    z.strictObject({
      success: z.literal(false),
      data: z.null(),
      error: z.strictObject({
        code: z.enum(Object.keys(API_ERRORS) as [ApiErrorCode, ...ApiErrorCode[]]),
        message: z.string(),
        details: z.array(z.strictObject({ field: z.string(), message: z.string() })).optional(),
      }),
      statusCode: z.number().int(),
      timestamp: z.iso.datetime(),
      requestId: z.string(),
    }),
    'output',
  )
}

/** JSON Schema of `schema`, without what only repeats the obvious. */
export function toSchema(schema: z.ZodType, io: 'input' | 'output'): Json {
  const { $schema: _, ...rest } = z.toJSONSchema(schema, {
    io,
    unrepresentable: 'any',
    override: ({ jsonSchema }) => {
      if (jsonSchema.format === 'date-time') delete jsonSchema.pattern
      if (jsonSchema.maximum === Number.MAX_SAFE_INTEGER) delete jsonSchema.maximum
      if (jsonSchema.minimum === Number.MIN_SAFE_INTEGER) delete jsonSchema.minimum
      // A number in a query is text for the parser and a number for people.
      if (jsonSchema.integer !== undefined) {
        Object.assign(jsonSchema, jsonSchema.integer)
        delete jsonSchema.pattern
        delete jsonSchema.integer
      }
    },
  }) as Json
  return rest
}

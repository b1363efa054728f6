import type { z } from 'zod'
import type { HealthProber } from '../observability/health-prober.ts'
import type { ApiErrorCode } from './api-error.ts'
import type { Caller } from './operator-token.ts'
import type { RateClass } from './rate-limiter.ts'
import type { Scope } from './scopes.ts'
import type { NodeServices } from './services.ts'

type Method = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'

/** One operation of the API. The router, the OpenAPI document, the reference page and tests are made from it. */
export interface ApiRoute {
  kind: 'api'
  method: Method
  /** With `:name` for parameters; begins with `/api/`. */
  path: string
  scope: Scope
  rateLimit: RateClass
  summary: string
  /** More than fits into one line. */
  description?: string
  request: { params?: z.ZodType; query?: z.ZodType; body?: z.ZodType }
  /** Describes the body better than the schema that checks it can; documentation only. */
  bodyDoc?: z.ZodType
  status: 200 | 201 | 202
  /** Schema of `data`. */
  reply: z.ZodType
  /** Keys beside `data`. */
  list?: 'count' | 'offset' | 'cursor'
  /** Beyond those that every route can answer. */
  errors: readonly ApiErrorCode[]
  /** Whether `Idempotency-Key` is understood. */
  idempotent: boolean
  /** Longest time the handler may take. */
  deadlineMs: number
  handler: (request: RouteRequest<unknown, unknown, unknown>) => Promise<RouteReply> | RouteReply
}

/** Whether a call may leave something changed. */
export function changesSomething(route: ApiRoute): boolean {
  return route.method !== 'GET'
}

/** A page outside the envelope: health, metrics, the OpenAPI document. */
export interface PageRoute {
  kind: 'page'
  method: 'GET'
  path: string
  /** Outside `/api` only. */
  scope: 'public' | Scope
  rateLimit: RateClass | 'none'
  summary: string
  description?: string
  /** Per status: what it means, and the schema when it is JSON. */
  replies: Record<number, { meaning: string; contentType: string; schema?: z.ZodType }>
  /** What a caller reads when the handler throws. */
  failure: string
  handler: (parts: PageParts) => Promise<PageReply> | PageReply
}

export type Route = ApiRoute | PageRoute

interface RouteRequest<P, Q, B> {
  params: P
  query: Q
  body: B
  services: NodeServices
  caller: Caller
}

/** `data` and the top-level keys that lists carry beside it. */
export interface RouteReply<T = unknown> {
  data: T
  count?: number
  pagination?: OffsetPage | CursorPage
}

interface OffsetPage {
  total: number
  limit: number
  offset: number
}

interface CursorPage {
  limit: number
  /** Give it as `before` to get the next page; null on the last one. */
  nextCursor: string | null
}

export interface PageParts {
  prober: HealthProber
  metrics: { readonly contentType: string; expose(): Promise<string> }
  /** The OpenAPI document of this server. */
  openApi: () => unknown
}

export interface PageReply {
  status: number
  contentType: string
  body: string
}

/** Most handlers answer from memory or with one round trip to the ledger. */
const DEADLINE_MS = 10_000

interface RouteOptions<P extends z.ZodType, Q extends z.ZodType, B extends z.ZodType, R extends z.ZodType> {
  method: Method
  path: string
  scope: Scope
  rateLimit: RateClass
  summary: string
  description?: string
  request?: { params?: P; query?: Q; body?: B }
  bodyDoc?: z.ZodType
  status?: 200 | 201 | 202
  reply: R
  list?: 'count' | 'offset' | 'cursor'
  errors?: readonly ApiErrorCode[]
  idempotent?: boolean
  deadlineMs?: number
  handler: (
    request: RouteRequest<z.output<P>, z.output<Q>, z.output<B>>,
  ) => Promise<RouteReply<z.input<R>>> | RouteReply<z.input<R>>
}

/** Declares an operation; the handler's types follow from the schemas. */
export function route<P extends z.ZodType, Q extends z.ZodType, B extends z.ZodType, R extends z.ZodType>(
  options: RouteOptions<P, Q, B, R>,
): ApiRoute {
  return {
    status: 200,
    errors: [],
    request: {},
    idempotent: false,
    deadlineMs: DEADLINE_MS,
    ...options,
    kind: 'api',
    // The pipeline hands over what the three schemas returned, so the types hold.
    handler: options.handler as ApiRoute['handler'],
  }
}

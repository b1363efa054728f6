import { randomUUID } from 'node:crypto'
import Router from '@koa/router'
import Koa, { type Context, type Next } from 'koa'
import type { Clock } from '../lib/clock.ts'
import type { Logger } from '../lib/logger.ts'
import type { RequestKeys } from '../store/request-keys.ts'
import { ApiError } from './api-error.ts'
import { admit, admitUnmatched, type GateDeps } from './authenticate.ts'
import { withDeadline } from './deadline.ts'
import { Idempotency } from './idempotency.ts'
import type { Caller } from './operator-token.ts'
import { expectedError, isApiPath, sendError } from './replies.ts'
import type { PageParts, PageRoute, Route } from './route.ts'
import { runApiRoute } from './run-api-route.ts'
import type { NodeServices } from './services.ts'

export interface AdminAppDeps {
  services: NodeServices
  page: PageParts
  gate: GateDeps
  keys: RequestKeys
  clock: Clock
  logger: Logger
  onAnswer: (route: string, status: number) => void
  onFault: () => void
}

/** The reply is data, never a page that a browser should run, frame, guess at or keep. */
const SECURITY_HEADERS = {
  'X-Content-Type-Options': 'nosniff',
  'X-Frame-Options': 'DENY',
  'Content-Security-Policy': "default-src 'none'; frame-ancestors 'none'",
  'Referrer-Policy': 'no-referrer',
  'Cross-Origin-Resource-Policy': 'same-origin',
  'Cache-Control': 'no-store',
}

/** Pages are made from memory; this is for a defect, not for use. */
const PAGE_DEADLINE_MS = 10_000
const REQUEST_ID_SHAPE = /^[A-Za-z0-9._-]{1,64}$/

interface Call {
  requestId: string
  route: Route | undefined
  caller: Caller | undefined
  /** The `id` of the path. */
  target: string | undefined
}

/** Koa application that serves `routes`. */
export function createAdminApp(routes: readonly Route[], deps: AdminAppDeps): Koa {
  const app = new Koa()
  const router = new Router({ exclusive: 'specificity' })
  const calls = new WeakMap<Context, Call>()
  const idempotency = new Idempotency(deps)
  const callOf = (context: Context) => calls.get(context) as Call

  for (const route of routes) {
    router.register(route.path, [route.method], async (context) => {
      const call = callOf(context)
      call.route = route
      call.target = context.params.id
      if (route.scope !== 'public') call.caller = await admit(context, route, deps.gate)
      if (route.kind === 'page') return await sendPage(context, route, deps.page)
      const caller = call.caller as Caller
      await runApiRoute(context, context.params, { route, caller }, { ...deps, idempotency })
    })
  }

  app.use(async (context: Context, next: Next) => {
    const call: Call = {
      requestId: requestIdOf(context),
      route: undefined,
      caller: undefined,
      target: undefined,
    }
    calls.set(context, call)
    context.set({ ...SECURITY_HEADERS, 'X-Request-Id': call.requestId })
    try {
      await next()
    } catch (error) {
      const answer = expectedError(error) ?? unexpected(error, context, call, deps)
      sendError(context, answer, { clock: deps.clock, requestId: call.requestId })
    }
    deps.onAnswer(call.route?.path ?? 'unmatched', context.status)
    record(context, call, deps.logger)
  })
  app.use(async (context: Context, next: Next) => {
    const { path: candidates, route: matched } = router.match(context.path, context.method)
    if (matched) return await next()
    if (isApiPath(context.path)) admitUnmatched(context, deps.gate)
    throw unmatched(candidates.flatMap((layer) => layer.methods))
  })
  app.use(router.routes())
  // What Koa itself reports are replies that could not be written: the caller went away.
  app.on('error', (error: unknown) => deps.logger.debug('reply was not delivered', { error }))
  return app
}

function unmatched(methods: readonly string[]): ApiError {
  if (methods.length === 0) return new ApiError('RESOURCE_NOT_FOUND', 'there is nothing at this path')
  const allow = [...new Set(methods)].sort().join(', ')
  return new ApiError('METHOD_NOT_ALLOWED', `this path answers ${allow} only`, { headers: { Allow: allow } })
}

async function sendPage(context: Context, route: PageRoute, parts: PageParts): Promise<void> {
  const page = await withDeadline(route.handler(parts), {
    deadlineMs: PAGE_DEADLINE_MS,
    changes: false,
  })
  context.status = page.status
  context.set('Content-Type', page.contentType)
  context.body = page.body
}

/** Logs the fault with all that is known, and tells the caller nothing but the id to look for. */
function unexpected(error: unknown, context: Context, call: Call, deps: AdminAppDeps): ApiError {
  deps.onFault()
  const { requestId, route } = call
  deps.logger.error('operator request failed', {
    requestId,
    method: context.method,
    route: route?.path,
    error,
  })
  const message =
    route?.kind === 'page' ? route.failure : `unexpected fault; the log has it under ${requestId}`
  return new ApiError('INTERNAL_SERVER_ERROR', message)
}

/** Changes are always on record with who made them; reading is for debugging. */
function record(context: Context, call: Call, logger: Logger): void {
  const { requestId, route, caller } = call
  const fields = { requestId, method: context.method, route: route?.path, status: context.status }
  if (caller === undefined || context.method === 'GET' || context.method === 'HEAD') {
    logger.debug('operator request', fields)
    return
  }
  // What failed may carry anything in its path.
  const target = context.status < 400 ? call.target : undefined
  logger.info('operator request', { ...fields, target, subject: caller.subject, jti: caller.tokenId })
}

function requestIdOf(context: Context): string {
  const sent = context.get('X-Request-Id')
  return REQUEST_ID_SHAPE.test(sent) ? sent : `req_${randomUUID()}`
}

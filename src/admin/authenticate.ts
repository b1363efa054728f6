import type { Context } from 'koa'
import type { Clock } from '../lib/clock.ts'
import { ApiError } from './api-error.ts'
import { clientAddress } from './client-address.ts'
import { type Caller, verifyToken } from './operator-token.ts'
import type { RateLimiter, RateVerdict } from './rate-limiter.ts'
import type { Route } from './route.ts'

export interface GateDeps {
  keys: () => readonly Uint8Array[]
  limiter: RateLimiter
  trustProxy: boolean
  clock: Clock
  onAuthenticationFailure: (address: string) => void
}

const CHALLENGE = 'Bearer realm="causeway"'

/**
 * Lets a request through to its route: valid token, room in the rate limit, scope of the route.
 * @throws ApiError 401, 403 or 429
 */
export async function admit(context: Context, route: Route, deps: GateDeps): Promise<Caller> {
  const address = clientAddress(context.req, deps.trustProxy)
  const failures = deps.limiter.peek('authentication', address)
  if (!failures.allowed) throw limitExceeded(context, failures)
  const caller = await authenticate(context, deps)
  if (caller instanceof ApiError) {
    deps.onAuthenticationFailure(address)
    showLimit(context, deps.limiter.take('authentication', address))
    throw caller
  }
  if (route.rateLimit !== 'none') {
    const verdict = deps.limiter.take(route.rateLimit, caller.subject)
    if (!verdict.allowed) throw limitExceeded(context, verdict)
    showLimit(context, verdict)
  }
  if (route.scope !== 'public' && !caller.scopes.has(route.scope)) {
    const headers = {
      'WWW-Authenticate': `${CHALLENGE}, error="insufficient_scope", scope="${route.scope}"`,
    }
    throw new ApiError('PERMISSION_DENIED', `the token lacks the scope ${route.scope}`, { headers })
  }
  return caller
}

/** Paths that do not exist are counted per address. @throws ApiError 429 */
export function admitUnmatched(context: Context, deps: GateDeps): void {
  const verdict = deps.limiter.take('unmatched', clientAddress(context.req, deps.trustProxy))
  if (!verdict.allowed) throw limitExceeded(context, verdict)
  showLimit(context, verdict)
}

async function authenticate(context: Context, deps: GateDeps): Promise<Caller | ApiError> {
  const header = context.get('Authorization')
  if (header === '') {
    return new ApiError(
      'AUTHENTICATION_REQUIRED',
      'send an operator token as "Authorization: Bearer <token>"',
      {
        headers: { 'WWW-Authenticate': CHALLENGE },
      },
    )
  }
  const token = /^Bearer +([A-Za-z0-9_.-]+)$/i.exec(header)?.[1]
  const caller = token === undefined ? undefined : await verifyToken(token, deps.keys(), deps.clock)
  if (caller !== undefined) return caller
  return new ApiError('AUTHENTICATION_FAILED', 'the operator token is not valid or has expired', {
    headers: { 'WWW-Authenticate': `${CHALLENGE}, error="invalid_token"` },
  })
}

function limitExceeded(context: Context, verdict: RateVerdict): ApiError {
  showLimit(context, verdict)
  const seconds = verdict.retryAfterSeconds
  const message = `too many requests; try again in ${seconds} s`
  return new ApiError('RATE_LIMIT_EXCEEDED', message, { headers: { 'Retry-After': String(seconds) } })
}

function showLimit(context: Context, verdict: RateVerdict): void {
  context.set('X-RateLimit-Limit', String(verdict.limit))
  context.set('X-RateLimit-Remaining', String(verdict.remaining))
  context.set('X-RateLimit-Reset', String(verdict.resetSeconds))
}

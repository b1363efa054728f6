import type { Context } from 'koa'
import type { z } from 'zod'
import type { Clock } from '../lib/clock.ts'
import { ApiError, type ErrorDetail } from './api-error.ts'
import { withDeadline } from './deadline.ts'
import type { Idempotency } from './idempotency.ts'
import type { Caller } from './operator-token.ts'
import { readJsonBody } from './read-json-body.ts'
import { sendData } from './replies.ts'
import { type ApiRoute, changesSomething, type RouteReply } from './route.ts'
import type { NodeServices } from './services.ts'

/** Details of one reply; a body can be wrong in thousands of places. */
const DETAILS_MAX = 50

interface RunDeps {
  services: NodeServices
  idempotency: Idempotency
  clock: Clock
}

/** Checks what came, runs the handler within its deadline and answers in the envelope. */
export async function runApiRoute(
  context: Context,
  params: Record<string, string>,
  call: { route: ApiRoute; caller: Caller },
  deps: RunDeps,
): Promise<void> {
  const { route, caller } = call
  // Read even when the route takes none: the connection is used again.
  const sent = route.method === 'GET' ? undefined : await readJsonBody(context.req)
  const input = {
    params: check(route.request.params, params),
    query: check(route.request.query, { ...context.query }),
    body: check(route.request.body, sent),
  }
  const work = async (): Promise<RouteReply> =>
    await route.handler({ ...input, services: deps.services, caller })
  // One that is there and empty is refused there: its sender means to be protected.
  const key = context.req.headers['idempotency-key']
  const scope = `${caller.subject} ${route.method} ${route.path}`
  const reply =
    route.idempotent && key !== undefined
      ? deps.idempotency.once(
          { scope, key: String(key), body: { params: input.params, body: input.body } },
          work,
        )
      : work()
  const { deadlineMs } = route
  const inTime = await withDeadline(reply, { deadlineMs, changes: changesSomething(route) })
  sendData(context, route.status, inTime, deps.clock)
}

function check(schema: z.ZodType | undefined, value: unknown): unknown {
  if (schema === undefined) return undefined
  const result = schema.safeParse(value)
  if (result.success) return result.data
  const details = result.error.issues.slice(0, DETAILS_MAX).map(describe)
  const first = details[0]
  if (value === undefined) {
    throw new ApiError('VALIDATION_ERROR', 'the request needs a JSON object as its body, at least {}')
  }
  const where = first === undefined || first.field === '' ? '' : `${first.field}: `
  throw new ApiError('VALIDATION_ERROR', `the request is not valid: ${where}${first?.message ?? ''}`, {
    details,
  })
}

/** Never repeats what was sent: it may be a secret in the wrong field. */
function describe(issue: z.core.$ZodIssue): ErrorDetail {
  return { field: issue.path.map(String).join('.').slice(0, 200), message: issue.message.slice(0, 500) }
}

import type { Context } from 'koa'
import type { Clock } from '../lib/clock.ts'
import { API_ERRORS, ApiError } from './api-error.ts'
import type { RouteReply } from './route.ts'
import { ServiceError } from './services.ts'
import { toJson } from './to-json.ts'

/** Whether a path belongs to the API, where replies come in the envelope. */
export function isApiPath(path: string): boolean {
  return /^\/api(\/|$)/i.test(path)
}

/** `{ success: true, data, ... , timestamp }` */
export function sendData(context: Context, status: number, reply: RouteReply, clock: Clock): void {
  const { data, count, pagination } = reply
  const timestamp = new Date(clock.now()).toISOString()
  context.status = status
  context.type = 'application/json; charset=utf-8'
  context.body = toJson({ success: true, data, count, pagination, timestamp })
}

/** The error in the envelope below `/api`, in the shape of the health endpoints elsewhere. */
export function sendError(
  context: Context,
  error: ApiError,
  meta: { clock: Clock; requestId: string },
): void {
  context.status = error.status
  context.set({ ...error.headers })
  context.type = 'application/json; charset=utf-8'
  if (!isApiPath(context.path)) {
    context.body = toJson({ status: error.status >= 500 ? 'unhealthy' : 'error', error: error.message })
    return
  }
  const details = error.details.length === 0 ? undefined : error.details
  context.body = toJson({
    success: false,
    data: null,
    error: { code: error.code, message: error.message, details },
    statusCode: error.status,
    timestamp: new Date(meta.clock.now()).toISOString(),
    requestId: meta.requestId,
  })
}

/** What a caller is told of a thrown value; undefined when it is a fault of ours, of which it is told nothing. */
export function expectedError(error: unknown): ApiError | undefined {
  if (error instanceof ApiError) return error
  if (error instanceof ServiceError && Object.hasOwn(API_ERRORS, error.code)) {
    return new ApiError(error.code, error.message, { details: error.details })
  }
  return undefined
}

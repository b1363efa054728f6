import { within } from '../lib/within.ts'
import { ApiError } from './api-error.ts'

/**
 * Waits for `work` at most `deadlineMs`; then the caller gets an answer, while the work goes on by itself.
 * @throws ApiError SERVICE_UNAVAILABLE when it takes longer
 */
export function withDeadline<T>(work: Promise<T> | T, deadlineMs: number): Promise<T> {
  const message = `no answer within ${deadlineMs} ms; whether it was carried out is not known, look before trying again`
  return within(work, deadlineMs, () => new ApiError('SERVICE_UNAVAILABLE', message))
}

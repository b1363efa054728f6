import { within } from '../lib/within.ts'
import { ApiError } from './api-error.ts'

/**
 * Waits for `work` at most `deadlineMs`; then the caller gets an answer, while the work goes on by itself.
 * @throws ApiError when it takes longer: OUTCOME_UNKNOWN when it changes something, else SERVICE_UNAVAILABLE
 */
export function withDeadline<T>(
  work: Promise<T> | T,
  { deadlineMs, changes }: { deadlineMs: number; changes: boolean },
): Promise<T> {
  return within(work, deadlineMs, () => {
    const late = `no answer within ${deadlineMs} ms`
    if (!changes) return new ApiError('SERVICE_UNAVAILABLE', `${late}; try again later`)
    const message = `${late}; whether it was carried out is not known, look before trying again`
    return new ApiError('OUTCOME_UNKNOWN', message)
  })
}

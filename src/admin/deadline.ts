import { ApiError } from './api-error.ts'

/**
 * Waits for `work` at most `deadlineMs`; then the caller gets an answer, while the work goes on by itself.
 * @throws ApiError SERVICE_UNAVAILABLE when it takes longer
 */
export async function withDeadline<T>(work: Promise<T> | T, deadlineMs: number): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => {
      const message = `no answer within ${deadlineMs} ms; whether it was carried out is not known, look before trying again`
      reject(new ApiError('SERVICE_UNAVAILABLE', message))
    }, deadlineMs)
  })
  try {
    return await Promise.race([work, late])
  } finally {
    clearTimeout(timer)
  }
}

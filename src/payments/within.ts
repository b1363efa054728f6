import { within as withinDeadline } from '../lib/within.ts'

/** The promise, or an Error with this message when it takes longer. The promise's own failure is never unhandled. */
export function within<T>(promise: Promise<T>, timeoutMs: number, message: string): Promise<T> {
  return withinDeadline(promise, timeoutMs, () => new Error(`${message} within ${timeoutMs} ms`))
}

/** RFC 38, "Retry behavior": back-off with jitter, for ever, never longer than an hour. */
export interface RetryPolicy {
  /** Pause after the first failure, milliseconds. */
  readonly firstMs: number
  /** Longest pause, milliseconds; at most an hour. */
  readonly maxMs: number
}

export const RETRY_POLICY: RetryPolicy = { firstMs: 1_000, maxMs: 3_600_000 }

/** Above this many doublings every pause is the longest one. */
const DOUBLINGS_MAX = 30

/**
 * Pause before the next attempt, milliseconds: doubled for each failure up to the longest, of which a random part, up
 * to a half, is taken off.
 * @param failures how many attempts have failed, at least 1
 * @param random uniform in [0, 1)
 */
export function retryDelayMs(policy: RetryPolicy, failures: number, random: number): number {
  const doubled = policy.firstMs * 2 ** Math.min(failures - 1, DOUBLINGS_MAX)
  return Math.ceil(Math.min(doubled, policy.maxMs) * (1 - random / 2))
}

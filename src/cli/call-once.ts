import { randomUUID } from 'node:crypto'
import type { AdminClient } from './admin-client.ts'
import { CliError } from './cli-error.ts'
import { ExitCode } from './exit-code.ts'

/** Times that the same request, with its idempotency key, is sent until an answer comes. */
const ATTEMPTS_MAX = 3

/** POSTs the same request until an answer comes; its key makes the node do it once. */
export async function callOnce<T>(
  client: AdminClient,
  path: string,
  { body, timeoutMs }: { body?: unknown; timeoutMs?: number } = {},
): Promise<T> {
  const request = {
    idempotencyKey: randomUUID(),
    ...(body === undefined ? {} : { body }),
    ...(timeoutMs === undefined ? {} : { timeoutMs }),
  }
  for (let attempt = 1; ; attempt++) {
    try {
      return await client.call<T>('POST', path, request)
    } catch (error) {
      const isRetryable = error instanceof CliError && error.exitCode === ExitCode.unknownOutcome
      if (!isRetryable || attempt >= ATTEMPTS_MAX) throw error
    }
  }
}

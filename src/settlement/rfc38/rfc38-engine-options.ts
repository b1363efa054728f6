import { EngineConfigError } from '../engine.ts'
import { SCALE_MAX } from '../quantity.ts'
import type { BoundedListen } from './bounded-http-server.ts'
import { RETRY_POLICY, type RetryPolicy } from './retry-policy.ts'

const ENGINE_NAME = /^[a-z][a-z0-9-]{0,30}$/

export interface Rfc38EngineOptions {
  /** In metrics, journals and credit ids; never to be changed. 1 to 31 characters of `a-z 0-9 -`. */
  readonly name: string
  /** Where the foreign engine is. */
  readonly url: string
  /** Shown to the foreign engine as bearer token. */
  readonly token?: string | undefined
  /** Where the foreign engine reaches this node. */
  readonly listen: BoundedListen
  /** Scale that orders come in. Default: that of each account, and the engine keeps what is too fine for it. */
  readonly scale?: number | undefined
  /**
   * Tell the engine of closed accounts, once their orders are finished. Default false: engines forget what they had
   * queued for an account that is deleted.
   */
  readonly deleteAccounts?: boolean | undefined
  /** Default 5,000 ms. */
  readonly connectTimeoutMs?: number | undefined
  /** Default 30,000 ms. */
  readonly requestTimeoutMs?: number | undefined
  /** Default: 1 s to 1 h. */
  readonly retry?: RetryPolicy | undefined
}

/** @throws EngineConfigError naming the first option that cannot work */
export function checkOptions({ name, scale, retry }: Rfc38EngineOptions): void {
  if (!ENGINE_NAME.test(name))
    throw new EngineConfigError('name', 'use 1 to 31 characters of a-z 0-9 -, a letter first')
  if (scale !== undefined && (!Number.isInteger(scale) || scale < 0 || scale > SCALE_MAX))
    throw new EngineConfigError('scale', `use a whole number from 0 to ${SCALE_MAX}`)
  if (retry !== undefined && (retry.firstMs < 1 || retry.maxMs > RETRY_POLICY.maxMs))
    throw new EngineConfigError('retry', 'pauses have 1 ms to 1 hour (RFC 38, "Retry behavior")')
}

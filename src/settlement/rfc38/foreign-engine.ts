import type { Quantity } from '../engine.ts'
import { EngineUnavailableError, MessageRefusedError } from '../engine.ts'
import { compareQuantities } from '../quantity.ts'
import { readRefusalText } from '../refusal-text.ts'
import type { DeliveryFailure } from './delivery-queue.ts'
import { describeReply, replyFailure } from './reply-failure.ts'
import { NoReplyError, type Rfc38HttpClient, type Rfc38Reply } from './rfc38-http-client.ts'
import { MESSAGE_LENGTH_MAX } from './rfc38-http-server.ts'
import { quantityBody, readQuantityBody } from './rfc38-quantity.ts'

/** What is read of replies that carry a Quantity, an error text or nothing. Bytes. */
const REPLY_LENGTH_MAX = 8_192

/**
 * What the engine made of a request to settle. `taken`: acknowledged for good. `refused`: it was heard and not
 * acknowledged. No reply at all is an exception.
 */
export type SettleAnswer =
  | { readonly kind: 'taken'; readonly echo: Quantity | undefined }
  | { readonly kind: 'unknown-account' }
  | {
      readonly kind: 'refused'
      /** The engine says that it did nothing: any other answer may hide a settlement. */
      readonly isClear: boolean
      readonly failure: DeliveryFailure
    }

/** The calls of RFC 38 to a foreign engine, and what their answers mean. */
export class ForeignEngine {
  readonly #client: Rfc38HttpClient

  constructor(client: Rfc38HttpClient) {
    this.#client = client
  }

  /** @throws DeliveryFailure or NoReplyError when it is to be repeated */
  async setUp(accountId: string, signal: AbortSignal): Promise<void> {
    const reply = await this.#client.call({
      method: 'POST',
      path: '/accounts',
      body: JSON.stringify({ id: accountId }),
      contentType: 'application/json',
      accept: 'application/json',
      replyLengthMax: REPLY_LENGTH_MAX,
      signal,
    })
    // 409 comes from engines that do not take an account twice.
    if (isSuccess(reply.status) || reply.status === 409) return
    throw replyFailure('the engine did not set up the account', reply)
  }

  /** @throws DeliveryFailure or NoReplyError when it is to be repeated */
  async remove(accountId: string, signal: AbortSignal): Promise<void> {
    const reply = await this.#client.call({
      method: 'DELETE',
      path: accountPath(accountId),
      replyLengthMax: REPLY_LENGTH_MAX,
      signal,
    })
    if (isSuccess(reply.status) || reply.status === 404) return
    throw replyFailure('the engine did not delete the account', reply)
  }

  /** @throws NoReplyError when it is not known whether the engine heard it */
  async settle(
    accountId: string,
    quantity: Quantity,
    key: string,
    signal: AbortSignal,
  ): Promise<SettleAnswer> {
    const reply = await this.#client.call({
      method: 'POST',
      path: `${accountPath(accountId)}/settlements`,
      body: quantityBody(quantity),
      contentType: 'application/json',
      accept: 'application/json',
      idempotencyKey: key,
      replyLengthMax: REPLY_LENGTH_MAX,
      signal,
    })
    const echo = readQuantityBody(reply.body)
    // Any page on a wrong port answers 200: that counts only when it repeats the quantity.
    const repeated = echo !== undefined && compareQuantities(echo, quantity) === 0
    if (reply.status === 201 || (reply.status === 200 && repeated)) return { kind: 'taken', echo }
    if (reply.status === 404) return { kind: 'unknown-account' }
    return {
      kind: 'refused',
      isClear: isClearRefusal(reply.status),
      failure: replyFailure('the engine did not take the settlement', reply),
    }
  }

  /**
   * @throws MessageRefusedError for an answer 4xx
   * @throws EngineUnavailableError for any other, and when none came
   */
  async message(accountId: string, message: Buffer): Promise<Buffer | 'unknown-account'> {
    let reply: Rfc38Reply
    try {
      reply = await this.#client.call({
        method: 'POST',
        path: `${accountPath(accountId)}/messages`,
        body: message,
        contentType: 'application/octet-stream',
        accept: 'application/octet-stream',
        replyLengthMax: MESSAGE_LENGTH_MAX,
      })
    } catch (error) {
      if (error instanceof NoReplyError) throw new EngineUnavailableError(error.message, { cause: error })
      throw error
    }
    if (isSuccess(reply.status)) return reply.body
    if (reply.status === 404) return 'unknown-account'
    const text = `the engine did not take the message: ${describeReply(reply)}`
    // An engine of ours tells its code in the body; the peer's engine acts on it.
    const code = readRefusalText(reply.body.toString('utf8')) ?? `http-${reply.status}`
    if (isRefusal(reply.status)) throw new MessageRefusedError(code, text)
    throw new EngineUnavailableError(text)
  }
}

function accountPath(accountId: string): string {
  return `/accounts/${encodeURIComponent(accountId)}`
}

function isSuccess(status: number): boolean {
  return status >= 200 && status <= 299
}

/** 4xx, but not of a request that was cut short, nor of a key that the engine has used: it may have paid under that. */
function isClearRefusal(status: number): boolean {
  return status >= 400 && status <= 499 && status !== 408 && status !== 409
}

/** 4xx that speaks of the message, and not of our credentials or of the moment. */
function isRefusal(status: number): boolean {
  return status >= 400 && status <= 499 && ![401, 403, 408, 425, 429].includes(status)
}

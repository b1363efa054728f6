/**
 * - `unreachable`: no connection, or it was cut before the whole answer was there
 * - `timeout`: no answer within the deadline
 * - `rate-limited`: HTTP 429, or the node's own "too many requests"
 * - `bad-answer`: an answer that is no JSON-RPC, or has not the shape that was asked for
 * - `too-large`: an answer is larger than what is read, or the node says so: less is to be asked for
 * - `rpc-error`: the node understood and refused; `rpcCode` and `data` are what it said
 * - `wrong-chain`: the node serves another chain
 * - `wrong-code`: a contract's code is not the expected one
 * - `lagging`: the node does not know blocks that were seen already
 * - `reorg`: a block that counted as final is no longer part of the chain
 * - `not-final`: it is not known yet what stays on the chain
 * - `stopped`: this side is stopping
 */
export type ChainErrorCode =
  | 'unreachable'
  | 'timeout'
  | 'rate-limited'
  | 'bad-answer'
  | 'too-large'
  | 'rpc-error'
  | 'wrong-chain'
  | 'wrong-code'
  | 'lagging'
  | 'reorg'
  | 'not-final'
  | 'stopped'

/** A question to the chain got no usable answer. Nothing was changed by it here; what a node did is unknown. */
export class ChainError extends Error {
  override readonly name = 'ChainError'
  readonly code: ChainErrorCode
  /** JSON-RPC error code of the node, for `rpc-error` and some `rate-limited`. */
  readonly rpcCode: number | undefined
  /** JSON-RPC error data of the node: the revert data of a call, for example. */
  readonly data: unknown

  constructor(
    code: ChainErrorCode,
    message: string,
    detail: { rpcCode?: number; data?: unknown; cause?: unknown } = {},
  ) {
    super(message, detail.cause === undefined ? undefined : { cause: detail.cause })
    this.code = code
    this.rpcCode = detail.rpcCode
    this.data = detail.data
  }
}

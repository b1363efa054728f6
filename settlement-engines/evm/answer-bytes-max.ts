import type { RpcRequest } from './json-rpc-endpoint.ts'

/** Heads, calls, code and the like stay far below it; a block of 10,000 transactions has 700 kB of hashes. */
const SHORT_BYTES = 1024 * 1024
/** Lists of a full range stay below it; with more, the range is made smaller. */
const LONG_BYTES = 16 * 1024 * 1024

/** What is read of the answer to questions of one HTTP request: reading it stops everything else in the process. */
export function answerBytesMax(requests: readonly RpcRequest[]): number {
  return requests.some(isLong) ? LONG_BYTES : SHORT_BYTES
}

function isLong({ method, params }: RpcRequest): boolean {
  // A block with whole transactions, and not only their hashes.
  if (method === 'eth_getBlockByNumber') return params[1] === true
  return method === 'eth_getLogs' || method.startsWith('eth_getTransaction')
}

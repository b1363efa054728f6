import { ChainError } from '../chain-error.ts'

/** JSON-RPC code of nodes for "execution reverted", and the words of those that use another. */
const REVERTED = 3
const REFUSAL_WORDS = /revert|execution|opcode|gas|\bvm\b/i

/** Whether a contract has refused a call. Anything else that a node says instead of an answer tells nothing of it. */
export function isRefusal(error: unknown): boolean {
  if (!(error instanceof ChainError) || error.code !== 'rpc-error') return false
  return error.rpcCode === REVERTED || REFUSAL_WORDS.test(error.message)
}

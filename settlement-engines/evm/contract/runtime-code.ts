import { type Hex, keccak256 } from 'viem'
import artifact from './settlement-channels.json' with { type: 'json' }

/**
 * Whether code found on a chain is SettlementChannels as compiled here. The places that the constructor fills (chain id,
 * own address and what follows from them) differ from one deployment to the next and are left out.
 * @param code as `eth_getCode` told it; undefined and `0x` are no code
 */
export function isSettlementChannels(code: Hex | undefined): boolean {
  if (code === undefined || code.length <= 2) return false
  return keccak256(withoutImmutables(code)) === artifact.runtimeHash
}

function withoutImmutables(code: Hex): Uint8Array {
  const bytes = Uint8Array.from(Buffer.from(code.slice(2), 'hex'))
  for (const { start, length } of artifact.immutables) bytes.fill(0, start, start + length)
  return bytes
}

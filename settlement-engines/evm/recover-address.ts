import { instantiateSecp256k1 } from '@bitauth/libauth'
import { bytesToHex, type Hex, hexToBytes, keccak256 } from 'viem'

const SIGNATURE_LENGTH = 65
/** `v` of the two recovery ids that Ethereum has. */
const V_FIRST = 27

/** libsecp256k1 as WebAssembly: ten times as fast as the elliptic curve in JavaScript that viem brings. */
const curve = await instantiateSecp256k1()

/**
 * The address, in lower case, of the key that signed the hash; undefined when the 65 bytes `r`, `s`, `v` (27 or 28) are
 * no signature of any key. High `s` are not told apart.
 */
export function recoverAddress(hash: Hex, signature: Hex): Hex | undefined {
  const bytes = hexToBytes(signature)
  const recoveryId = (bytes[SIGNATURE_LENGTH - 1] ?? 0) - V_FIRST
  if (bytes.length !== SIGNATURE_LENGTH || (recoveryId !== 0 && recoveryId !== 1)) return undefined
  const key = curve.recoverPublicKeyUncompressed(bytes.subarray(0, 64), recoveryId, hexToBytes(hash))
  if (typeof key === 'string') return undefined
  // The address is the end of the hash of the key's coordinates, which follow a byte that tells their form.
  return `0x${keccak256(bytesToHex(key.subarray(1))).slice(-40)}`
}

import { type Hex, hashTypedData, hexToBigInt, size, sliceHex } from 'viem'
import { recoverAddress } from '../recover-address.ts'
import type { SigningKey } from '../signing-key.ts'

/** Half the order of secp256k1: the contract refuses signatures with a larger `s`. */
const S_MAX = 0x7fffffffffffffffffffffffffffffff5d576e7357a4501ddfe92f46681b20a0n
const TYPES = {
  Voucher: [
    { name: 'channelId', type: 'bytes32' },
    { name: 'cumulative', type: 'uint256' },
  ],
} as const

export interface ChannelsDomain {
  readonly chainId: number
  readonly contract: Hex
}

export interface Voucher {
  readonly channelId: Hex
  /** All that was promised since the channel was opened. */
  readonly cumulative: bigint
}

/** Signs a voucher as SettlementChannels checks it (EIP-712). The same input gives the same bytes. */
export async function signVoucher(key: SigningKey, domain: ChannelsDomain, voucher: Voucher): Promise<Hex> {
  return await key.account.signTypedData(typed(domain, voucher))
}

/**
 * Whether the contract would take the signature as one of `signer`: 65 bytes, `v` 27 or 28, low `s`. Stricter than
 * recovery alone, because what cannot be claimed must not be credited.
 */
export function isVoucherOf(signer: Hex, domain: ChannelsDomain, voucher: Voucher, signature: Hex): boolean {
  if (size(signature) !== 65 || hexToBigInt(sliceHex(signature, 32, 64)) > S_MAX) return false
  return recoverAddress(hashTypedData(typed(domain, voucher)), signature) === signer
}

function typed({ chainId, contract }: ChannelsDomain, message: Voucher) {
  const domain = {
    name: 'Causeway Settlement Channels',
    version: '1',
    chainId,
    verifyingContract: contract,
  } as const
  return { domain, types: TYPES, primaryType: 'Voucher', message } as const
}

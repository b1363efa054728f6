import { type Hex, hashTypedData } from 'viem'
import { recoverAddress } from '../recover-address.ts'
import type { SigningKey } from '../signing-key.ts'
import type { ChannelsDomain } from './voucher.ts'

const TYPES = {
  Hello: [
    { name: 'account', type: 'address' },
    { name: 'signer', type: 'address' },
    { name: 'ilpAddress', type: 'string' },
    { name: 'peerIlpAddress', type: 'string' },
    { name: 'challenge', type: 'bytes32' },
  ],
} as const

/** What a side says of itself. The proof binds it to chain, contract, both nodes and the other side's challenge. */
export interface Identity {
  /** Who pays and is paid. */
  readonly account: Hex
  /** Whose vouchers count. */
  readonly signer: Hex
  /** ILP addresses of the speaker and of its peer, as the speaker knows them; empty when it does not. */
  readonly ilpAddress: string
  readonly peerIlpAddress: string
  readonly challenge: Hex
}

export async function proveIdentity(
  key: SigningKey,
  domain: ChannelsDomain,
  identity: Identity,
): Promise<Hex> {
  return await key.account.signTypedData(typed(domain, identity))
}

export function isProven(domain: ChannelsDomain, identity: Identity, proof: Hex): boolean {
  return recoverAddress(hashTypedData(typed(domain, identity)), withV(proof)) === identity.account
}

/** Some signers write the recovery id, 0 or 1, where 27 or 28 is common. */
function withV(signature: Hex): Hex {
  const last = signature.slice(-2)
  return last === '00' || last === '01'
    ? `0x${signature.slice(2, -2)}1${last === '00' ? 'b' : 'c'}`
    : signature
}

function typed({ chainId, contract }: ChannelsDomain, message: Identity) {
  const domain = {
    name: 'Causeway Settlement Peer',
    version: '1',
    chainId,
    verifyingContract: contract,
  } as const
  return { domain, types: TYPES, primaryType: 'Hello', message } as const
}

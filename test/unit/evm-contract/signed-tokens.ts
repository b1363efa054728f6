import { type Address, type Hex, parseSignature } from 'viem'
import { anvil } from 'viem/chains'
import type { ChannelsChain } from './channels-chain.ts'

/** Far behind any test's time, seconds. */
export const FAR = 10n ** 12n

const PERMIT = [
  { name: 'owner', type: 'address' },
  { name: 'spender', type: 'address' },
  { name: 'value', type: 'uint256' },
  { name: 'nonce', type: 'uint256' },
  { name: 'deadline', type: 'uint256' },
] as const
const AUTHORIZATION = [
  { name: 'from', type: 'address' },
  { name: 'to', type: 'address' },
  { name: 'value', type: 'uint256' },
  { name: 'validAfter', type: 'uint256' },
  { name: 'validBefore', type: 'uint256' },
  { name: 'nonce', type: 'bytes32' },
] as const

export type AuthorizationKind = 'ReceiveWithAuthorization' | 'TransferWithAuthorization'

/** The payer's permit (EIP-2612) for the contract, as its functions take it. The token's name is `Permit`. */
export async function signedPermit(
  chain: ChannelsChain,
  token: Address,
  terms: { value: bigint; nonce: bigint; deadline?: bigint },
) {
  const { deadline = FAR, nonce, value } = terms
  const signature = await chain.payer.signTypedData({
    domain: { name: 'Permit', version: '1', chainId: anvil.id, verifyingContract: token },
    types: { Permit: PERMIT },
    primaryType: 'Permit',
    message: { owner: chain.payer.address, spender: chain.channels.address, value, nonce, deadline },
  })
  const { r, s, v } = parseSignature(signature)
  return { deadline, v: Number(v), r, s }
}

/** The payer's transfer (EIP-3009) to the contract, as its functions take it. The token's name is `Authorized`. */
export async function signedAuthorization(
  chain: ChannelsChain,
  token: Address,
  terms: { value: bigint; nonce: Hex; validBefore?: bigint; kind?: AuthorizationKind },
) {
  const { kind = 'ReceiveWithAuthorization', nonce, validBefore = FAR, value } = terms
  const [from, to] = [chain.payer.address, chain.channels.address]
  const signature = await chain.payer.signTypedData({
    domain: { name: 'Authorized', version: '1', chainId: anvil.id, verifyingContract: token },
    types: { ReceiveWithAuthorization: AUTHORIZATION, TransferWithAuthorization: AUTHORIZATION },
    primaryType: kind,
    message: { from, to, value, validAfter: 0n, validBefore, nonce },
  })
  const { r, s, v } = parseSignature(signature)
  return { validAfter: 0n, validBefore, v: Number(v), r, s }
}

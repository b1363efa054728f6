import { encodeAbiParameters, encodeFunctionData, type Hex, keccak256, parseAbi, parseSignature } from 'viem'
import type { SigningKey } from '../signing-key.ts'

/** Of a token that takes signatures. */
export interface TokenDomain {
  readonly name: string
  readonly version: string
  readonly chainId: number
  readonly verifyingContract: Hex
}

/** EIP-3009, as the channel contract takes it. Seconds since the epoch. */
export interface Authorization {
  readonly validAfter: bigint
  readonly validBefore: bigint
  readonly v: number
  readonly r: Hex
  readonly s: Hex
}

/** EIP-2612, as the channel contract takes it. Seconds since the epoch. */
export interface Permit {
  readonly deadline: bigint
  readonly v: number
  readonly r: Hex
  readonly s: Hex
}

/** Money that moves by a signature, once per nonce. */
export interface SignedTransfer {
  readonly from: Hex
  readonly to: Hex
  readonly value: bigint
  /** Seconds since the epoch: in blocks of this time and later it moves nothing. */
  readonly validBefore: bigint
  readonly nonce: Hex
}

export type AuthorizationKind = 'TransferWithAuthorization' | 'ReceiveWithAuthorization'

/** What tokens with signatures understand. */
export const SIGNED_TOKEN_ABI = parseAbi([
  'function transferWithAuthorization(address from, address to, uint256 value, uint256 validAfter, uint256 validBefore, bytes32 nonce, uint8 v, bytes32 r, bytes32 s)',
  'function receiveWithAuthorization(address from, address to, uint256 value, uint256 validAfter, uint256 validBefore, bytes32 nonce, uint8 v, bytes32 r, bytes32 s)',
  'function authorizationState(address authorizer, bytes32 nonce) view returns (bool)',
  'function permit(address owner, address spender, uint256 value, uint256 deadline, uint8 v, bytes32 r, bytes32 s)',
  'function nonces(address owner) view returns (uint256)',
  'function name() view returns (string)',
  'function version() view returns (string)',
  'function DOMAIN_SEPARATOR() view returns (bytes32)',
  'function eip712Domain() view returns (bytes1 fields, string name, string version, uint256 chainId, address verifyingContract, bytes32 salt, uint256[] extensions)',
])

const TRANSFER_FIELDS = [
  { name: 'from', type: 'address' },
  { name: 'to', type: 'address' },
  { name: 'value', type: 'uint256' },
  { name: 'validAfter', type: 'uint256' },
  { name: 'validBefore', type: 'uint256' },
  { name: 'nonce', type: 'bytes32' },
] as const
const TYPES = {
  TransferWithAuthorization: TRANSFER_FIELDS,
  ReceiveWithAuthorization: TRANSFER_FIELDS,
} as const
const PERMIT_TYPES = {
  Permit: [
    { name: 'owner', type: 'address' },
    { name: 'spender', type: 'address' },
    { name: 'value', type: 'uint256' },
    { name: 'nonce', type: 'uint256' },
    { name: 'deadline', type: 'uint256' },
  ],
} as const

/** Signs a transfer of EIP-3009: by anybody, or by its receiver alone. */
export async function signAuthorization(
  key: SigningKey,
  domain: TokenDomain,
  kind: AuthorizationKind,
  transfer: SignedTransfer,
): Promise<Authorization> {
  const signature = await key.account.signTypedData({
    domain,
    types: TYPES,
    primaryType: kind,
    message: { ...transfer, validAfter: 0n },
  })
  return { validAfter: 0n, validBefore: transfer.validBefore, ...partsOf(signature) }
}

/** Signs an allowance of EIP-2612. */
export async function signPermit(
  key: SigningKey,
  domain: TokenDomain,
  permit: { owner: Hex; spender: Hex; value: bigint; nonce: bigint; deadline: bigint },
): Promise<Permit> {
  const signature = await key.account.signTypedData({
    domain,
    types: PERMIT_TYPES,
    primaryType: 'Permit',
    message: permit,
  })
  return { deadline: permit.deadline, ...partsOf(signature) }
}

/** The call that carries a signed transfer out. */
export function authorizedTransferData(
  functionName: 'transferWithAuthorization' | 'receiveWithAuthorization',
  { from, nonce, to, value }: SignedTransfer,
  { r, s, v, validAfter, validBefore }: Authorization,
): Hex {
  const args = [from, to, value, validAfter, validBefore, nonce, v, r, s] as const
  return encodeFunctionData({ abi: SIGNED_TOKEN_ABI, functionName, args })
}

/**
 * The nonce of an order's transfer: all that is to be paid at most once. It depends on nothing that can be lost, so
 * that an engine without its books cannot pay the order a second time.
 */
export function orderNonce(order: { id: string; to: Hex; amount: bigint }): Hex {
  const types = [{ type: 'string' }, { type: 'string' }, { type: 'address' }, { type: 'uint256' }]
  return keccak256(
    encodeAbiParameters(types, ['Causeway settlement order', order.id, order.to, order.amount]),
  )
}

function partsOf(signature: Hex): { v: number; r: Hex; s: Hex } {
  const { r, s, yParity } = parseSignature(signature)
  return { v: 27 + yParity, r, s }
}

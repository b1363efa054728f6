import type { Hex } from 'viem'
import { ChainError } from './chain-error.ts'

/** How much of a wrong value goes into a message. */
const QUOTE_LENGTH_MAX = 80

/** A quantity of JSON-RPC: `0x` and 1 to 64 hexadecimal digits. @throws ChainError `bad-answer` */
export function toQuantity(value: unknown, what: string): bigint {
  if (typeof value !== 'string' || !/^0x[0-9a-fA-F]{1,64}$/.test(value))
    throw unfit(value, what, 'a quantity')
  return BigInt(value)
}

/** A quantity that counts something: at most 2^53 - 1. @throws ChainError `bad-answer` */
export function toCount(value: unknown, what: string): number {
  const count = toQuantity(value, what)
  if (count > BigInt(Number.MAX_SAFE_INTEGER)) throw unfit(value, what, 'a count')
  return Number(count)
}

/** 32 bytes, in lower case. @throws ChainError `bad-answer` */
export function toHash(value: unknown, what: string): Hex {
  if (typeof value !== 'string' || !/^0x[0-9a-fA-F]{64}$/.test(value)) throw unfit(value, what, '32 bytes')
  return value.toLowerCase() as Hex
}

/** An address, in lower case. @throws ChainError `bad-answer` */
export function toAddress(value: unknown, what: string): Hex {
  if (typeof value !== 'string' || !/^0x[0-9a-fA-F]{40}$/.test(value)) throw unfit(value, what, 'an address')
  return value.toLowerCase() as Hex
}

/** Any number of whole bytes, in lower case. @throws ChainError `bad-answer` */
export function toBytes(value: unknown, what: string): Hex {
  if (typeof value !== 'string' || !/^0x(?:[0-9a-fA-F]{2})*$/.test(value)) throw unfit(value, what, 'bytes')
  return value.toLowerCase() as Hex
}

/** @throws ChainError `bad-answer` */
export function toRecord(value: unknown, what: string): Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw unfit(value, what, 'an object')
  return value as Record<string, unknown>
}

/** @throws ChainError `bad-answer` */
export function toList(value: unknown, what: string): readonly unknown[] {
  if (!Array.isArray(value)) throw unfit(value, what, 'a list')
  return value
}

/** As JSON-RPC writes quantities. */
export function hexOf(value: bigint | number): Hex {
  return `0x${value.toString(16)}`
}

function unfit(value: unknown, what: string, wanted: string): ChainError {
  // Only plain values are quoted: lists and objects may be large, or nested beyond what can be written.
  const isPlain = typeof value !== 'object' || value === null
  const shown = isPlain
    ? String(JSON.stringify(value)).slice(0, QUOTE_LENGTH_MAX)
    : Array.isArray(value)
      ? 'a list'
      : 'an object'
  return new ChainError('bad-answer', `a node's answer does not fit: ${what} is ${shown}, not ${wanted}`)
}

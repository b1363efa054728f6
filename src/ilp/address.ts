import { ADDRESS_LENGTH_MAX } from './packet-view.ts'

declare const brand: unique symbol

/** A string that passed {@link isAddress}: an ILP address of RFC 15, 3..1023 characters. */
export type IlpAddress = string & { readonly [brand]: 'IlpAddress' }

/**
 * A string that passed {@link isPrefix}: what a route covers. An address, a bare scheme such as `g`
 * (everything in that scheme), or the empty string (everything: the default route).
 */
export type IlpPrefix = string & { readonly [brand]: 'IlpAddress' | 'IlpPrefix' }

/** Allocation schemes of RFC 15. */
const SCHEMES = 'g|private|example|peer|self|test[1-3]?|local'
const ADDRESS = new RegExp(`^(?:${SCHEMES})(?:\\.[A-Za-z0-9_~-]+)+$`)
const PREFIX = new RegExp(`^(?:(?:${SCHEMES})(?:\\.[A-Za-z0-9_~-]+)*)?$`)

/** True for an ILP address (RFC 15): a known scheme, then one or more segments; at most 1,023 characters. */
export function isAddress(text: string): text is IlpAddress {
  return text.length <= ADDRESS_LENGTH_MAX && ADDRESS.test(text)
}

/** True for what a route may cover: an ILP address, a bare scheme (`g`), or the empty string (default route). */
export function isPrefix(text: string): text is IlpPrefix {
  return text.length <= ADDRESS_LENGTH_MAX && PREFIX.test(text)
}

/**
 * True when `address` equals `prefix` or lies below it, on whole segments: `g.a` covers `g.a` and `g.a.b`,
 * not `g.ab`. The empty prefix covers everything.
 */
export function isUnder(prefix: string, address: string): boolean {
  const length = prefix.length
  if (length === 0) return true
  if (!address.startsWith(prefix)) return false
  return address.length === length || address.charCodeAt(length) === DOT
}

/** The first segment of an address or prefix: `g` of `g.a.b` and of `g`. */
export function schemeOf(address: string): string {
  const dot = address.indexOf('.')
  return dot === -1 ? address : address.slice(0, dot)
}

const DOT = 0x2e
const SEGMENT_BYTE = 1
const DOT_BYTE = 2
/** What each byte may be in an address: 0 nothing, else one of the two constants above. */
const BYTE_CLASS = new Uint8Array(256)
for (const character of 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_~-') {
  BYTE_CLASS[character.charCodeAt(0)] = SEGMENT_BYTE
}
BYTE_CLASS[DOT] = DOT_BYTE

/**
 * {@link isAddress} on bytes in place. The caller has checked that `offset + length` lies in the buffer.
 * Decides like the regular expression, in one pass and without a string.
 */
export function isAddressAt(buffer: Uint8Array, offset: number, length: number): boolean {
  if (length > ADDRESS_LENGTH_MAX) return false
  const schemeLength = schemeLengthAt(buffer, offset, length)
  if (schemeLength === 0) return false
  const end = offset + length
  // The scheme is known to be followed by a dot: what comes next must begin a segment.
  let previous = DOT_BYTE
  for (let at = offset + schemeLength + 1; at < end; at++) {
    const current = BYTE_CLASS[buffer[at]!]!
    if (current === 0 || (current & previous) === DOT_BYTE) return false
    previous = current
  }
  return previous === SEGMENT_BYTE
}

/** Length of the scheme when a known scheme and a dot begin here, else 0. */
function schemeLengthAt(buffer: Uint8Array, offset: number, length: number): number {
  if (length < 2) return 0
  switch (buffer[offset]) {
    case 0x67: // g
      return buffer[offset + 1] === DOT ? 1 : 0
    case 0x74: // t
      return testSchemeLengthAt(buffer, offset, length)
    case 0x70: // p
      return startsWith(buffer, offset, length, PRIVATE)
        ? 7
        : startsWith(buffer, offset, length, PEER)
          ? 4
          : 0
    case 0x65: // e
      return startsWith(buffer, offset, length, EXAMPLE) ? 7 : 0
    case 0x73: // s
      return startsWith(buffer, offset, length, SELF) ? 4 : 0
    case 0x6c: // l
      return startsWith(buffer, offset, length, LOCAL) ? 5 : 0
    default:
      return 0
  }
}

/** `test`, `test1`, `test2` or `test3`. */
function testSchemeLengthAt(buffer: Uint8Array, offset: number, length: number): number {
  if (!startsWith(buffer, offset, length, TEST) || length < 5) return 0
  const next = buffer[offset + 4]!
  if (next === DOT) return 4
  return next >= 0x31 && next <= 0x33 && length > 5 && buffer[offset + 5] === DOT ? 5 : 0
}

const PRIVATE = bytesOf('private.')
const PEER = bytesOf('peer.')
const EXAMPLE = bytesOf('example.')
const SELF = bytesOf('self.')
const LOCAL = bytesOf('local.')
const TEST = bytesOf('test')

function bytesOf(text: string): Uint8Array {
  return Uint8Array.from(text, (character) => character.charCodeAt(0))
}

function startsWith(buffer: Uint8Array, offset: number, length: number, bytes: Uint8Array): boolean {
  if (length < bytes.length) return false
  for (let i = 0; i < bytes.length; i++) if (buffer[offset + i] !== bytes[i]) return false
  return true
}

/** True when the address at `offset` begins with `peer.`: never forwarded (RFC 15). */
export function isPeerAddressAt(buffer: Uint8Array, offset: number, length: number): boolean {
  return startsWith(buffer, offset, length, PEER)
}

import { randomBytes } from 'node:crypto'

/** 256 bits: more than anyone can guess, and the length that RFC 35's token profile asks for at least. */
const TOKEN_BYTES = 32

/** A new random token or key, base64url, 43 characters. */
export function generateToken(): string {
  return randomBytes(TOKEN_BYTES).toString('base64url')
}

import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto'

const PREFIX = 'sealed:v1:'
const NONCE_LENGTH = 12
const TAG_LENGTH = 16

/** Encrypts a secret for the store: AES-256-GCM, bound to `context`. */
export function seal(key: Buffer, plain: string, context: string): string {
  const nonce = randomBytes(NONCE_LENGTH)
  const cipher = createCipheriv('aes-256-gcm', key, nonce).setAAD(Buffer.from(context))
  const sealed = Buffer.concat([nonce, cipher.update(plain, 'utf8'), cipher.final(), cipher.getAuthTag()])
  return PREFIX + sealed.toString('base64url')
}

/** @throws Error when the key or the context is another one, or the value was changed */
export function unseal(key: Buffer, sealed: string, context: string): string {
  const bytes = Buffer.from(sealed.slice(PREFIX.length), 'base64url')
  const decipher = createDecipheriv('aes-256-gcm', key, bytes.subarray(0, NONCE_LENGTH))
  decipher.setAAD(Buffer.from(context)).setAuthTag(bytes.subarray(bytes.length - TAG_LENGTH))
  const plain = decipher.update(bytes.subarray(NONCE_LENGTH, bytes.length - TAG_LENGTH))
  return Buffer.concat([plain, decipher.final()]).toString('utf8')
}

export function isSealed(value: string): boolean {
  return value.startsWith(PREFIX)
}

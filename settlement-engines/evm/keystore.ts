import {
  createCipheriv,
  createDecipheriv,
  pbkdf2,
  randomBytes,
  randomUUID,
  timingSafeEqual,
} from 'node:crypto'
import { promisify } from 'node:util'
import type { Hex } from 'viem'
import { bytesToHex, hexToBytes, keccak256 } from 'viem/utils'
import { KeyFileError } from './key-file-error.ts'
import { type ScryptParameters, scrypt } from './scrypt.ts'
import { SigningKey } from './signing-key.ts'

/** Parameters of new files: 2^17 · 8 · 128 bytes are 128 MB and some tenths of a second. */
const SCRYPT_NEW = { n: 131_072, r: 8, p: 1 }
/** Files may ask for this much and no more, so that a wrong file cannot stop the process. */
const SCRYPT_BYTES_MAX = 1024 * 1024 * 1024
const SCRYPT_P_MAX = 16
const PBKDF2_ROUNDS_MAX = 10_000_000
const DERIVED_LENGTH = 32
const CIPHER = 'aes-128-ctr'

interface Parameters {
  readonly kdf: 'scrypt' | 'pbkdf2'
  readonly kdfparams: Record<string, unknown>
  readonly iv: Buffer
  readonly ciphertext: Buffer
  readonly mac: Buffer
}

/**
 * Decrypts a keystore file: Web3 Secret Storage, version 3.
 * @throws KeyFileError when the text is no such file, or the password is another one
 */
export async function decryptKeystore(text: string, password: string): Promise<SigningKey> {
  const parameters = parse(text)
  const derived = await derive(parameters, password)
  const mac = macOf(derived, parameters.ciphertext)
  if (!timingSafeEqual(mac, parameters.mac)) {
    throw new KeyFileError('the keystore cannot be opened: the password is wrong, or the file was changed')
  }
  const decipher = createDecipheriv(CIPHER, derived.subarray(0, 16), parameters.iv)
  const secret = Buffer.concat([decipher.update(parameters.ciphertext), decipher.final()])
  try {
    return new SigningKey(bytesToHex(secret))
  } finally {
    secret.fill(0)
    derived.fill(0)
  }
}

/** The text of a keystore file (version 3, scrypt) for a private key of 32 bytes. */
export async function encryptKeystore(privateKey: Hex, password: string): Promise<string> {
  const { address } = new SigningKey(privateKey)
  const salt = randomBytes(32)
  const iv = randomBytes(16)
  const { n, r, p } = SCRYPT_NEW
  const derived = await deriveScrypt(password, salt, { n, r, p })
  const cipher = createCipheriv(CIPHER, derived.subarray(0, 16), iv)
  const ciphertext = Buffer.concat([cipher.update(hexToBytes(privateKey)), cipher.final()])
  const file = {
    version: 3,
    id: randomUUID(),
    address: address.slice(2),
    crypto: {
      cipher: CIPHER,
      cipherparams: { iv: iv.toString('hex') },
      ciphertext: ciphertext.toString('hex'),
      kdf: 'scrypt',
      kdfparams: { dklen: DERIVED_LENGTH, n, r, p, salt: salt.toString('hex') },
      mac: macOf(derived, ciphertext).toString('hex'),
    },
  }
  derived.fill(0)
  return `${JSON.stringify(file, undefined, 2)}\n`
}

function parse(text: string): Parameters {
  let file: unknown
  try {
    file = JSON.parse(text)
  } catch {
    throw new KeyFileError('the keystore is no JSON: is it the right file?')
  }
  const outer = toRecord(file, 'the file')
  if (outer.version !== 3) throw new KeyFileError('the keystore is not of version 3: make a new one')
  // Some old writers spell it with a capital.
  const crypto = toRecord(outer.crypto ?? outer.Crypto, '"crypto"')
  if (crypto.cipher !== CIPHER) throw new KeyFileError(`the keystore's cipher is not ${CIPHER}`)
  const { kdf } = crypto
  if (kdf !== 'scrypt' && kdf !== 'pbkdf2') {
    throw new KeyFileError('the keystore\'s "kdf" is neither scrypt nor pbkdf2')
  }
  const iv = toBytes(toRecord(crypto.cipherparams, '"cipherparams"').iv, 'iv', 16)
  return {
    kdf,
    kdfparams: toRecord(crypto.kdfparams, '"kdfparams"'),
    iv,
    ciphertext: toBytes(crypto.ciphertext, 'ciphertext', 32),
    mac: toBytes(crypto.mac, 'mac', 32),
  }
}

async function derive({ kdf, kdfparams }: Parameters, password: string): Promise<Buffer> {
  if (kdfparams.dklen !== DERIVED_LENGTH) throw new KeyFileError('the keystore\'s "dklen" is not 32')
  const salt = toBytes(kdfparams.salt, 'salt')
  if (kdf === 'scrypt') {
    const [n, r, p] = [toInteger(kdfparams, 'n'), toInteger(kdfparams, 'r'), toInteger(kdfparams, 'p')]
    const isPower = n >= 2 && n <= SCRYPT_BYTES_MAX && (n & (n - 1)) === 0
    if (!isPower || 128 * n * r > SCRYPT_BYTES_MAX || p > SCRYPT_P_MAX) {
      throw new KeyFileError('the keystore asks for more scrypt work than is allowed, or for none')
    }
    return await deriveScrypt(password, salt, { n, r, p })
  }
  const rounds = toInteger(kdfparams, 'c')
  if (kdfparams.prf !== 'hmac-sha256' || rounds > PBKDF2_ROUNDS_MAX) {
    throw new KeyFileError('the keystore\'s "prf" is not hmac-sha256, or it asks for too many rounds')
  }
  return await promisify(pbkdf2)(password, salt, rounds, DERIVED_LENGTH, 'sha256')
}

async function deriveScrypt(password: string, salt: Buffer, parameters: ScryptParameters): Promise<Buffer> {
  try {
    return await scrypt(password, salt, DERIVED_LENGTH, parameters)
  } catch (error) {
    throw new KeyFileError(`the keystore's scrypt parameters do not work: ${String(error)}`)
  }
}

function macOf(derived: Buffer, ciphertext: Buffer): Buffer {
  return Buffer.from(keccak256(Buffer.concat([derived.subarray(16, 32), ciphertext]), 'bytes'))
}

function toRecord(value: unknown, what: string): Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new KeyFileError(`the keystore is not complete: ${what} is no object`)
  }
  return value as Record<string, unknown>
}

function toBytes(value: unknown, name: string, length?: number): Buffer {
  const isHex = typeof value === 'string' && /^(?:[0-9a-fA-F]{2}){1,128}$/.test(value)
  if (!isHex || (length !== undefined && value.length !== 2 * length)) {
    throw new KeyFileError(`the keystore is not complete: "${name}" does not fit`)
  }
  return Buffer.from(value, 'hex')
}

function toInteger(parameters: Record<string, unknown>, name: string): number {
  const value = parameters[name]
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 1) {
    throw new KeyFileError(`the keystore is not complete: "${name}" is no whole number above zero`)
  }
  return value
}

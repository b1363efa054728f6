import { closeSync, constants, fstatSync, openSync, readFileSync } from 'node:fs'
import { open, rm } from 'node:fs/promises'
import type { Hex } from 'viem'
import { generatePrivateKey } from 'viem/accounts'
import { KeyFileError } from './key-file-error.ts'
import { decryptKeystore, encryptKeystore } from './keystore.ts'
import { SigningKey } from './signing-key.ts'

/** Owner reads and writes, nobody else. */
const KEY_FILE_MODE = 0o600
/** A keystore has about 500 bytes. */
const KEY_FILE_BYTES_MAX = 16 * 1024

/**
 * Reads an encrypted keystore file (Web3 Secret Storage V3) that its owner alone may read.
 * @throws KeyFileError when others may read it, it is no keystore, or the password is wrong
 */
export async function readKeystoreFile(path: string, password: string): Promise<SigningKey> {
  return await decryptKeystore(readPrivate(path), password)
}

/**
 * Reads a secret file: one private key as 64 hexadecimal digits, with or without `0x`, that its owner alone may read.
 * @throws KeyFileError when others may read it, or it holds something else
 */
export function readSecretKeyFile(path: string): SigningKey {
  const text = readPrivate(path).trim()
  if (!/^(?:0x)?[0-9a-fA-F]{64}$/.test(text)) {
    throw new KeyFileError(`the key file ${path} does not hold one private key of 64 hexadecimal digits`)
  }
  return new SigningKey((text.startsWith('0x') ? text : `0x${text}`) as Hex)
}

/**
 * Reads the password of keystores from a file that its owner alone may read: its whole text but for one line end.
 * @throws KeyFileError when others may read it, or it is empty
 */
export function readPasswordFile(path: string): string {
  const password = readPrivate(path).replace(/\r?\n$/, '')
  if (password === '') throw new KeyFileError(`the file ${path} is empty: it must hold a password`)
  return password
}

/**
 * Writes a keystore file, mode 0600, for a new key or a given one. Nothing is ever replaced.
 * @returns the address, in lower case
 * @throws KeyFileError when the file is there already
 */
export async function createKeystoreFile(
  path: string,
  password: string,
  privateKey: Hex = generatePrivateKey(),
): Promise<Hex> {
  const text = await encryptKeystore(privateKey, password)
  const { address } = new SigningKey(privateKey)
  let file: Awaited<ReturnType<typeof open>>
  try {
    file = await open(path, 'wx', KEY_FILE_MODE)
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    throw new KeyFileError(
      code === 'EEXIST'
        ? `the file ${path} is there already and is not replaced: it may hold a key. Choose another name`
        : `the file ${path} cannot be written (${code}). Check the directory`,
    )
  }
  try {
    await file.writeFile(text)
    await file.sync()
  } catch (error) {
    await rm(path, { force: true })
    throw error
  } finally {
    await file.close()
  }
  return address
}

/** Checks the mode on the open file, so that what was checked is what is read. */
function readPrivate(path: string): string {
  let file: number
  try {
    file = openSync(path, constants.O_RDONLY)
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    throw new KeyFileError(`the file ${path} cannot be read (${code}). Check its path and owner`)
  }
  try {
    const status = fstatSync(file)
    if (!status.isFile()) throw new KeyFileError(`${path} is no file`)
    if (process.platform !== 'win32' && (status.mode & 0o077) !== 0) {
      const octal = (status.mode & 0o777).toString(8).padStart(4, '0')
      throw new KeyFileError(
        `the file ${path} has mode ${octal}: others than its owner may use it. Run: chmod 600 '${path}'`,
      )
    }
    if (status.size > KEY_FILE_BYTES_MAX) {
      throw new KeyFileError(
        `the file ${path} is larger than ${KEY_FILE_BYTES_MAX} bytes: is it the right file?`,
      )
    }
    return readFileSync(file, 'utf8')
  } finally {
    closeSync(file)
  }
}

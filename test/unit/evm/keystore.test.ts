import { chmodSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { inspect } from 'node:util'
import type { Hex } from 'viem'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  createKeystoreFile,
  readKeystoreFile,
  readSecretKeyFile,
} from '../../../settlement-engines/evm/key-file.ts'
import { decryptKeystore, encryptKeystore } from '../../../settlement-engines/evm/keystore.ts'
import { scrypt } from '../../../settlement-engines/evm/scrypt.ts'
import { SigningKey } from '../../../settlement-engines/evm/signing-key.ts'

/** Published with the definition of Web3 Secret Storage. */
const PBKDF2_VECTOR = {
  crypto: {
    cipher: 'aes-128-ctr',
    cipherparams: { iv: '6087dab2f9fdbbfaddc31a909735c1e6' },
    ciphertext: '5318b4d5bcd28de64ee5559e671353e16f075ecae9f99c7a79a38af5f869aa46',
    kdf: 'pbkdf2',
    kdfparams: {
      c: 262_144,
      dklen: 32,
      prf: 'hmac-sha256',
      salt: 'ae3cd4e7013836a3df6bd7241b12db061dbe2c6785853cce422d148a624ce0bd',
    },
    mac: '517ead924a9d0dc3124507e3393d175ce3ff7c1e96529c6c555ce9e51205e9b2',
  },
  id: '3198bc9c-6672-5ab3-d995-4942343ae5b6',
  version: 3,
}
const SCRYPT_VECTOR = {
  crypto: {
    cipher: 'aes-128-ctr',
    cipherparams: { iv: '83dbcc02d8ccb40e466191a123791e0e' },
    ciphertext: 'd172bf743a674da9cdad04534d56926ef8358534d458fffccd4e6ad2fbde479c',
    kdf: 'scrypt',
    kdfparams: {
      dklen: 32,
      n: 262_144,
      r: 1,
      p: 8,
      salt: 'ab0c7876052600dd703518d6fc3fe8984592145b591fc8fb5c6d43190334ba19',
    },
    mac: '2103ac29920d71da29f15d75b4a16dbe95cfd7ff8faea1056c33131d846e3097',
  },
  id: '3198bc9c-6672-5ab3-d995-4942343ae5b6',
  version: 3,
}
const ADDRESS = '0x008aeeda4d805471df9b2a5b0f38a0c3bcba786b'
const KEY: Hex = '0x7a28b5ba57c53603b0b07b56bba752f7784bf506fa95edc395f5cf6c7514fe9d'

let directory: string
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'causeway-key-'))
})
afterAll(() => {
  rmSync(directory, { recursive: true, force: true })
})

function write(name: string, text: string, mode = 0o600): string {
  const path = join(directory, name)
  writeFileSync(path, text)
  chmodSync(path, mode)
  return path
}

describe('keystore', () => {
  it.each([
    ['pbkdf2', PBKDF2_VECTOR],
    ['scrypt', SCRYPT_VECTOR],
  ])('opens the published %s vector', { timeout: 120_000 }, async (_, vector) => {
    expect((await decryptKeystore(JSON.stringify(vector), 'testpassword')).address).toBe(ADDRESS)
  })

  it('refuses a wrong password, and does not tell it', async () => {
    const opening = decryptKeystore(JSON.stringify(PBKDF2_VECTOR), 'wrong-canary')
    await expect(opening).rejects.toThrow('the password is wrong, or the file was changed')
    await expect(opening).rejects.not.toThrow('canary')
  })

  it('writes what it can read', async () => {
    const text = await encryptKeystore(KEY, 'pässword')
    expect(text).not.toContain(KEY.slice(2))
    expect((await decryptKeystore(text, 'pässword')).address).toBe(ADDRESS)
    await expect(decryptKeystore(text, 'password')).rejects.toThrow('wrong')
  })

  const change = (crypto: object) => ({ ...SCRYPT_VECTOR, crypto: { ...SCRYPT_VECTOR.crypto, ...crypto } })
  const params = (changed: object) => change({ kdfparams: { ...SCRYPT_VECTOR.crypto.kdfparams, ...changed } })
  it.each([
    ['no JSON', 'not json'],
    ['null', 'null'],
    ['another version', JSON.stringify({ ...SCRYPT_VECTOR, version: 1 })],
    ['another cipher', JSON.stringify(change({ cipher: 'aes-128-cbc' }))],
    ['another kdf', JSON.stringify(change({ kdf: 'argon2' }))],
    ['a short ciphertext', JSON.stringify(change({ ciphertext: 'ab' }))],
    ['a mac that is no text', JSON.stringify(change({ mac: 7 }))],
    ['no salt', JSON.stringify(params({ salt: undefined }))],
    ['another length', JSON.stringify(params({ dklen: 64 }))],
    ['more memory than there is', JSON.stringify(params({ n: 2 ** 40 }))],
    ['n that is no power of two', JSON.stringify(params({ n: 1000 }))],
    ['work without end', JSON.stringify(params({ p: 1_000_000 }))],
    ['half an n', JSON.stringify(params({ n: 1.5 }))],
  ])('refuses a file with %s', async (_, text) => {
    await expect(decryptKeystore(text, 'testpassword')).rejects.toMatchObject({ name: 'KeyFileError' })
  })
})

describe('scrypt', () => {
  it.each([
    ['', '', { n: 16, r: 1, p: 1 }, '77d6576238657b203b19ca42c18a0497f16b4844e3074ae8dfdffa3fede21442'],
    [
      'password',
      'NaCl',
      { n: 1024, r: 8, p: 16 },
      'fdbabe1c9d3472007856e7190d01e9fe7c6ad7cbc8237830e77376634b373162',
    ],
  ])('gives what RFC 7914 lists for %j and %j', async (password, salt, parameters, wanted) => {
    expect((await scrypt(password, Buffer.from(salt), 64, parameters)).toString('hex')).toMatch(`${wanted}`)
  })
})

describe('key files', () => {
  it('are made readable for their owner only, and never replaced', async () => {
    const path = join(directory, 'new.json')
    const address = await createKeystoreFile(path, 'secret')
    expect(statSync(path).mode & 0o777).toBe(0o600)
    expect((await readKeystoreFile(path, 'secret')).address).toBe(address)
    const before = readFileSync(path, 'utf8')
    await expect(createKeystoreFile(path, 'secret')).rejects.toThrow('is there already')
    expect(readFileSync(path, 'utf8')).toBe(before)
  })

  it.each([0o640, 0o604, 0o660])('are refused when others may read them: mode %o', async (mode) => {
    const path = write('open.json', JSON.stringify(PBKDF2_VECTOR), mode)
    await expect(readKeystoreFile(path, 'testpassword')).rejects.toThrow(/others than its owner.*chmod 600/)
    expect(() => readSecretKeyFile(write('open.key', KEY, mode))).toThrow(/others than its owner/)
  })

  it('may hold one plain key', () => {
    expect(readSecretKeyFile(write('a.key', `${KEY}\n`)).address).toBe(ADDRESS)
    expect(readSecretKeyFile(write('b.key', KEY.slice(2))).address).toBe(ADDRESS)
  })

  it('with something else in them are refused, without quoting it', () => {
    for (const text of ['', 'canary', `${KEY}ff`, `${KEY}\n${KEY}`, 'x'.repeat(20_000)]) {
      const path = write('bad.key', text)
      expect(() => readSecretKeyFile(path)).toThrow(expect.objectContaining({ name: 'KeyFileError' }))
    }
    expect(() => readSecretKeyFile(write('zero.key', '0'.repeat(64)))).toThrow('no private key')
    expect(() => readSecretKeyFile(join(directory, 'none'))).toThrow('ENOENT')
    expect(() => readSecretKeyFile(directory)).toThrow('is no file')
  })
})

describe('a signing key', () => {
  it('shows itself nowhere', () => {
    const key = new SigningKey(KEY)
    const shown = [JSON.stringify({ key }), String(key), inspect({ key }, { depth: 9, showHidden: true })]
    for (const text of shown) {
      expect(text).toContain('[redacted]')
      expect(text.toLowerCase()).not.toContain(KEY.slice(2, 20))
    }
  })

  it('does not quote a wrong key', () => {
    const wrong = `0x${'f'.repeat(64)}` as const
    expect(() => new SigningKey(wrong)).toThrow(
      expect.not.objectContaining({ message: expect.stringContaining('ffff') }),
    )
  })
})

import { chmodSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { inspect } from 'node:util'
import { describe, expect, it } from 'vitest'
import { generateToken } from '../../../src/config/generate-token.ts'
import { SecretError } from '../../../src/config/secret-error.ts'
import { SecretStore } from '../../../src/config/secret-store.ts'
import { addSecrets, readSecretsFile, writeSecrets } from '../../../src/config/secrets-file.ts'
import { temporaryDirectory } from './config-helpers.ts'

const CANARY = 'canary-4c1d9e'

function secretsFile(text: string, mode = 0o600): string {
  const path = join(temporaryDirectory(), 'secrets.yaml')
  writeFileSync(path, text)
  chmodSync(path, mode)
  return path
}

describe('the secrets file', () => {
  it('holds names and values', () => {
    const path = secretsFile('a: "one"\nb.c-d_e: two\n')
    expect([...readSecretsFile(path)]).toEqual([
      ['a', 'one'],
      ['b.c-d_e', 'two'],
    ])
  })

  it('may be missing, or empty', () => {
    expect(readSecretsFile('/nonexistent/secrets.yaml').size).toBe(0)
    expect(readSecretsFile(secretsFile('# nothing yet\n')).size).toBe(0)
  })

  it.each([0o640, 0o604, 0o660, 0o644, 0o666])(
    'is refused in mode %o, with the command that corrects it',
    (mode) => {
      const path = secretsFile(`a: ${CANARY}\n`, mode)
      const octal = mode.toString(8).padStart(4, '0')
      expect(() => readSecretsFile(path)).toThrow(
        new SecretError(
          `the secrets file ${path} has mode ${octal}: others than its owner may read it. Run: chmod 600 '${path}'`,
        ),
      )
    },
  )

  it.each([0o600, 0o400])('is taken in mode %o', (mode) => {
    expect(readSecretsFile(secretsFile('a: b\n', mode)).get('a')).toBe('b')
  })

  it.each([
    `a: "${CANARY}`,
    `a: ${CANARY}\na: ${CANARY}\n`,
    `- ${CANARY}\n`,
    `a: [${CANARY}]\n`,
    `"${CANARY} ${CANARY}": x\n`,
    `a: !${CANARY} x\n`,
    `a: *${CANARY}\n`,
    `a: 12345\n`,
  ])('never appears in an error: %s', (text) => {
    const path = secretsFile(text)
    let message = ''
    try {
      readSecretsFile(path)
    } catch (error) {
      expect(error).toBeInstanceOf(SecretError)
      message = (error as Error).message
    }
    expect(message).toContain(path)
    expect(message).not.toContain(CANARY)
    expect(message).not.toContain('12345')
  })

  it('is made private whatever the umask, and whole: no temporary file stays', async () => {
    const directory = temporaryDirectory()
    const path = join(directory, 'deep', 'secrets.yaml')
    const before = process.umask(0o000)
    try {
      await writeSecrets(path, new Map([['a', 'x: "y"\n#']]), false)
    } finally {
      process.umask(before)
    }
    expect(statSync(path).mode & 0o777).toBe(0o600)
    expect(statSync(join(directory, 'deep')).mode & 0o777).toBe(0o700)
    expect(readSecretsFile(path).get('a')).toBe('x: "y"\n#')
    expect(readdirSync(join(directory, 'deep'))).toEqual(['secrets.yaml'])
  })

  it('is not replaced unless that is asked for', async () => {
    const path = secretsFile('a: old\n')
    await expect(writeSecrets(path, new Map([['a', 'new']]), false)).rejects.toThrow(/EEXIST/)
    expect(readFileSync(path, 'utf8')).toBe('a: old\n')
    await writeSecrets(path, new Map([['a', 'new']]), true)
    expect(readSecretsFile(path).get('a')).toBe('new')
  })

  it('keeps what it has when secrets are added', async () => {
    const path = secretsFile('a: old\n')
    await addSecrets(
      path,
      new Map([
        ['a', 'new'],
        ['b', 'added'],
      ]),
    )
    expect([...readSecretsFile(path)].sort()).toEqual([
      ['a', 'old'],
      ['b', 'added'],
    ])
  })
})

function store(values: Record<string, string>, env: Record<string, string> = {}): SecretStore {
  return new SecretStore({
    file: '/etc/causeway/secrets.yaml',
    values: new Map(Object.entries(values)),
    env,
    baseDirectory: temporaryDirectory(),
  })
}

describe('references to secrets', () => {
  it('are resolved from the secrets file, the environment and files', () => {
    const directory = temporaryDirectory()
    writeFileSync(join(directory, 'token'), 'from a file\n')
    const secrets = new SecretStore({
      file: 'x',
      values: new Map([['a', 'from the secrets file']]),
      env: { B: 'from the environment' },
      baseDirectory: directory,
    })
    const section = { plugin: 'btp', token: 'secret:a', nested: [{ key: 'env:B' }, 'file:token'], count: 3 }
    expect(secrets.resolveAll(section)).toEqual({
      plugin: 'btp',
      token: 'from the secrets file',
      nested: [{ key: 'from the environment' }, 'from a file'],
      count: 3,
    })
    expect(section.token).toBe('secret:a')
  })

  it.each([
    ['secret:a', 'the secrets file /etc/causeway/secrets.yaml has no secret "a". Add a line "a: <value>"'],
    ['env:NOT_SET', 'the environment variable NOT_SET is not set. Set it before the node starts'],
    [
      'file:/nonexistent/x',
      'the file /nonexistent/x cannot be read (ENOENT). Check that it is there and that this user may read it',
    ],
    ['plain', 'not a reference to a secret: write "secret:<name>", "env:<NAME>" or "file:<path>"'],
  ])('that lead nowhere say so: %s', (reference, message) => {
    expect(() => store({}).resolve(reference)).toThrow(new SecretError(message))
  })

  it('do not read files that are too large to be secrets', () => {
    const path = join(temporaryDirectory(), 'large')
    writeFileSync(path, 'x'.repeat(64 * 1024 + 1))
    expect(() => store({}).resolve(`file:${path}`)).toThrow('is larger than 65536 bytes')
  })

  it('cannot be printed together with what they stand for', () => {
    const secrets = store({ a: CANARY }, { B: CANARY })
    for (const text of [
      inspect(secrets, { depth: 9, showHidden: true }),
      JSON.stringify({ secrets }),
      String(secrets),
    ]) {
      expect(text).not.toContain(CANARY)
    }
  })
})

describe('generated tokens', () => {
  it('are 32 random bytes in base64url', () => {
    const tokens = Array.from({ length: 100 }, generateToken)
    expect(new Set(tokens).size).toBe(100)
    for (const token of tokens) expect(token).toMatch(/^[A-Za-z0-9_-]{43}$/)
  })
})

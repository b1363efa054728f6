import { closeSync, fstatSync, openSync, readFileSync } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { dirname } from 'node:path'
import { SecretError } from './secret-error.ts'
import { writeFileAtomic } from './write-file-atomic.ts'
import { parseYaml, YamlError } from './yaml-source.ts'

/** Owner reads and writes, nobody else. */
const SECRETS_FILE_MODE = 0o600
/** Room for a hundred thousand peer tokens; a larger file is a mistake. */
const SECRETS_FILE_BYTES_MAX = 16 * 1024 * 1024
const NAME = /^[A-Za-z0-9_.-]{1,64}$/

/**
 * Reads the secrets file: YAML of names and values, readable by its owner only. No file: no secrets.
 * @throws SecretError when others may read it, or it is not such a file; never quotes it
 */
export function readSecretsFile(path: string): Map<string, string> {
  const text = readPrivate(path)
  if (text === undefined) return new Map()
  let value: unknown
  let lineOf: (name: string) => string
  try {
    const source = parseYaml(text)
    value = source.value
    lineOf = (name) => `line ${source.lineOf([name]) ?? '?'}`
  } catch (error) {
    if (!(error instanceof YamlError)) throw error
    throw new SecretError(`the secrets file ${path}, line ${error.line ?? '?'}: ${error.message}`)
  }
  if (value === null || value === undefined) return new Map()
  if (typeof value !== 'object' || Array.isArray(value)) {
    throw new SecretError(
      `the secrets file ${path} is not a list of "name: value" lines. Write one secret per line`,
    )
  }
  return new Map(Object.entries(value).map(([name, secret]) => checkEntry(path, lineOf, name, secret)))
}

/** Adds secrets to the file, or makes it, mode 0600; names that are there already keep their values. */
export async function addSecrets(path: string, added: ReadonlyMap<string, string>): Promise<void> {
  const values = new Map([...added, ...readSecretsFile(path)])
  await writeSecrets(path, values, true)
}

/**
 * Writes a secrets file, mode 0600, with the directory it lies in.
 * @throws Error with code `EEXIST` when it is there and `replace` is false
 */
export async function writeSecrets(
  path: string,
  values: ReadonlyMap<string, string>,
  replace: boolean,
): Promise<void> {
  const lines = [...values].map(([name, value]) => `${name}: ${JSON.stringify(value)}`)
  const text = [
    '# Secrets of this node. Keep this file private (mode 0600) and out of version control.',
    ...lines,
    '',
  ]
  await mkdir(dirname(path), { recursive: true, mode: 0o700 })
  await writeFileAtomic(path, text.join('\n'), { mode: SECRETS_FILE_MODE, replace })
}

function checkEntry(
  path: string,
  lineOf: (name: string) => string,
  name: string,
  secret: unknown,
): [string, string] {
  if (!NAME.test(name)) {
    throw new SecretError(
      `the secrets file ${path}, ${lineOf(name)}: a name is not 1 to 64 letters, digits, "_", "." or "-". Rename it`,
    )
  }
  if (typeof secret !== 'string' || secret === '') {
    throw new SecretError(
      `the secrets file ${path}, ${lineOf(name)}: the value of "${name}" is not a string. Put it in quotes`,
    )
  }
  return [name, secret]
}

/** Checks the mode on the open file, so that what was checked is what is read. */
function readPrivate(path: string): string | undefined {
  const file = openForReading(path)
  if (file === undefined) return undefined
  try {
    const { mode, size } = fstatSync(file)
    const others = mode & 0o077
    if (process.platform !== 'win32' && others !== 0) {
      const octal = (mode & 0o777).toString(8).padStart(4, '0')
      throw new SecretError(
        `the secrets file ${path} has mode ${octal}: others than its owner may read it. Run: chmod 600 '${path}'`,
      )
    }
    if (size > SECRETS_FILE_BYTES_MAX) {
      throw new SecretError(
        `the secrets file ${path} is larger than ${SECRETS_FILE_BYTES_MAX} bytes. Is it the right file?`,
      )
    }
    return readFileSync(file, 'utf8')
  } finally {
    closeSync(file)
  }
}

function openForReading(path: string): number | undefined {
  try {
    return openSync(path, 'r')
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'ENOENT') return undefined
    throw new SecretError(
      `the secrets file ${path} cannot be read (${code}). Check its owner: this user must own it`,
    )
  }
}

import { readFileSync, statSync } from 'node:fs'
import { resolve } from 'node:path'
import { inspect } from 'node:util'
import { SecretError } from './secret-error.ts'
import { isSecretReference } from './secret-field.ts'

/** Largest file that a `file:` reference may name: keys and certificates are far below. */
const SECRET_FILE_BYTES_MAX = 64 * 1024

export interface SecretStoreOptions {
  /** The secrets file, for messages. */
  file: string
  /** Its content. */
  values: ReadonlyMap<string, string>
  env: Readonly<Record<string, string | undefined>>
  /** Where relative paths of `file:` references start. */
  baseDirectory: string
}

/**
 * Resolves references to secrets. The configuration keeps the references; whoever needs a secret asks here at the
 * moment of use, so that no view of the configuration, error or log can show one.
 */
export class SecretStore {
  readonly #options: SecretStoreOptions

  constructor(options: SecretStoreOptions) {
    this.#options = options
  }

  /** The secrets file that `secret:` references are looked up in. */
  get file(): string {
    return this.#options.file
  }

  /** Whether the secrets file has a secret of this name. */
  has(name: string): boolean {
    return this.#options.values.has(name)
  }

  /**
   * The secret behind `secret:<name>`, `env:<NAME>` or `file:<path>`; one line end at the end of a file is cut off.
   * @throws SecretError when there is none
   */
  resolve(reference: string): string {
    const colon = reference.indexOf(':')
    const name = reference.slice(colon + 1)
    switch (reference.slice(0, colon)) {
      case 'secret':
        return this.#fromSecretsFile(name)
      case 'env':
        return this.#fromEnvironment(name)
      case 'file':
        return this.#fromFile(name)
      default:
        throw new SecretError(
          'not a reference to a secret: write "secret:<name>", "env:<NAME>" or "file:<path>"',
        )
    }
  }

  /** A deep copy of a section (of `peers[].link` or `plugins`) with every reference replaced by its secret. */
  resolveAll<T>(section: T): T {
    if (typeof section === 'string') {
      return (isSecretReference(section) ? this.resolve(section) : section) as T
    }
    if (Array.isArray(section)) return section.map((entry: unknown) => this.resolveAll(entry)) as T
    if (typeof section === 'object' && section !== null) {
      const entries = Object.entries(section).map(([key, entry]) => [key, this.resolveAll(entry as unknown)])
      return Object.fromEntries(entries) as T
    }
    return section
  }

  #fromSecretsFile(name: string): string {
    const value = this.#options.values.get(name)
    if (value === undefined) {
      throw new SecretError(
        `the secrets file ${this.#options.file} has no secret "${name}". Add a line "${name}: <value>"`,
      )
    }
    return value
  }

  #fromEnvironment(name: string): string {
    const value = this.#options.env[name]
    if (value === undefined || value === '') {
      throw new SecretError(`the environment variable ${name} is not set. Set it before the node starts`)
    }
    return value
  }

  #fromFile(path: string): string {
    const absolute = resolve(this.#options.baseDirectory, path)
    const text = readBounded(absolute).replace(/\r?\n$/, '')
    if (text === '') throw new SecretError(`the file ${absolute} is empty. Write the secret into it`)
    return text
  }

  toJSON(): string {
    return '[secrets]'
  }

  [inspect.custom](): string {
    return '[secrets]'
  }
}

function readBounded(path: string): string {
  let size: number
  try {
    size = statSync(path).size
    if (size <= SECRET_FILE_BYTES_MAX) return readFileSync(path, 'utf8')
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? 'unknown error'
    throw new SecretError(
      `the file ${path} cannot be read (${code}). Check that it is there and that this user may read it`,
    )
  }
  throw new SecretError(
    `the file ${path} is larger than ${SECRET_FILE_BYTES_MAX} bytes. Name a file that holds only the secret`,
  )
}

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import { ConfigError } from '../../../src/config/config-error.ts'
import { type LoadedConfiguration, loadConfiguration } from '../../../src/config/load.ts'

/** A directory that is removed after the test. */
export function temporaryDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), 'causeway-test-'))
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }))
  return directory
}

export interface LoadTextOptions {
  env?: Record<string, string>
  flags?: string[]
  secrets?: Record<string, string>
}

/** Loads a configuration file of this text, with this secrets file beside it. */
export function loadText(text: string, options: LoadTextOptions = {}): LoadedConfiguration {
  const directory = temporaryDirectory()
  const path = join(directory, 'causeway.yaml')
  writeFileSync(path, text)
  const lines = Object.entries(options.secrets ?? {}).map(
    ([name, value]) => `${name}: ${JSON.stringify(value)}\n`,
  )
  const secretsFile = join(directory, 'secrets.yaml')
  writeFileSync(secretsFile, lines.join(''), { mode: 0o600 })
  return loadConfiguration({
    path,
    env: { CAUSEWAY__NODE__SECRETS_FILE: secretsFile, ...options.env },
    flags: options.flags ?? [],
    workingDirectory: directory,
  })
}

/** One line per problem that loading finds. */
export function problemsOf(text: string, options: LoadTextOptions = {}): string[] {
  try {
    loadText(text, options)
    return []
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    return error.message
      .split('\n')
      .slice(1)
      .map((line) => line.trim())
  }
}

/** A configuration with nothing wrong in it. */
export const GOOD = `node:
  environment: test
  ilpAddress: test.me
`

/** A child over BTP that is not wrong either. */
export function child(id: string, more = ''): string {
  return `  - id: ${id}
    relation: child
    asset: { code: USD, scale: 2 }
    creditLimit: "1000"
    link: { plugin: btp, mode: server, tokenSha256: ${'0'.repeat(64)} }
${more}`
}

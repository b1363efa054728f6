import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { checkParts } from '../../../src/cli/check-parts.ts'
import { generateToken } from '../../../src/config/generate-token.ts'
import { loadConfiguration } from '../../../src/config/load.ts'
import { renderSample } from '../../../src/config/render-sample.ts'
import { temporaryDirectory } from './config-helpers.ts'

const DIRECTORY = 'config'
const EXAMPLES = readdirSync(DIRECTORY).filter((name) => name.endsWith('.yaml'))

/** Loads an example with a secret for each reference in it. */
function loadExample(name: string) {
  const path = join(DIRECTORY, name)
  const names = [...readFileSync(path, 'utf8').matchAll(/secret:([A-Za-z0-9_.-]+)/g)].map(
    (match) => match[1]!,
  )
  const file = join(temporaryDirectory(), 'secrets.yaml')
  const lines = [...new Set(names)].map((secret) => `${secret}: "${secretValue(secret)}"\n`)
  writeFileSync(file, lines.join(''), { mode: 0o600 })
  const flags = [`node.secretsFile=${file}`]
  return loadConfiguration({ path, env: {}, flags, workingDirectory: process.cwd() })
}

const secretValue = (secret: string) =>
  secret.endsWith('-url') ? 'https://node.example/v1' : generateToken()

describe('the examples', () => {
  it('are the ones the documentation names', () => {
    expect(EXAMPLES.sort()).toEqual([
      'dev.yaml',
      'multi-asset.yaml',
      'production.yaml',
      'sample.yaml',
      'settlement-evm.yaml',
      'single-peer.yaml',
    ])
  })

  it.each(EXAMPLES)('load without a problem or a warning: %s', (name) => {
    expect(loadExample(name).warnings).toEqual([])
  })

  it.each(EXAMPLES)('explain themselves: %s', (name) => {
    expect(readFileSync(join(DIRECTORY, name), 'utf8')).toMatch(/^# /)
  })

  it.each(EXAMPLES)('name options that plugins and engines take: %s', async (name) => {
    expect(await checkParts(loadExample(name))).toEqual([])
  })
})

describe('the sample', () => {
  it('shows every key as a comment that can be taken out', () => {
    const text = renderSample({ node: { ilpAddress: 'g.x' } })
    const uncommented = text
      .split('\n')
      .filter((line) => !/^\s*# [^ ]/.test(line) || /^\s*# [A-Za-z-]+:/.test(line))
      .map((line) => line.replace(/^(\s*)# /, '$1'))
      .join('\n')
    const keys = Object.keys(parse(uncommented) as object)
    expect(keys).toEqual([
      'node',
      'plugins',
      'peers',
      'routes',
      'rates',
      'ledger',
      'settlement',
      'accounts',
      'spsp',
      'admin',
      'logging',
    ])
    expect(parse(uncommented)).toMatchObject({ admin: { port: 8080 }, ledger: { backend: 'sqlite' } })
  })
})

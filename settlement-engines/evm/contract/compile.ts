/**
 * Compiles the contracts: `node settlement-engines/evm/contract/compile.ts [--check]`.
 * Without an option it writes the generated files; with `--check` it changes nothing and fails when they are not what
 * the sources compile to.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import process from 'node:process'
import { parseArgs } from 'node:util'
import { generateArtifacts } from './generate-artifacts.ts'

const ROOT = join(import.meta.dirname, '../../..')

const { values } = parseArgs({ options: { check: { type: 'boolean', default: false } } })

for (const { path, text } of generateArtifacts()) {
  const place = join(ROOT, path)
  if (!values.check) {
    writeFileSync(place, text)
    process.stdout.write(`wrote ${path}\n`)
  } else if (committed(place) === text) {
    process.stdout.write(`${path} is up to date\n`)
  } else {
    process.stderr.write(`${path} is not what the sources compile to: run compile.ts and commit the result\n`)
    process.exitCode = 1
  }
}

function committed(place: string): string | undefined {
  try {
    return readFileSync(place, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}

import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { generatedDocuments } from '../../../src/cli/generated-documents.ts'
import { STUB_LOADERS, stubIo } from './cli-helpers.ts'

describe('generated files', () => {
  const documents = generatedDocuments({ io: stubIo(), loaders: STUB_LOADERS, setExitCode: () => undefined })

  it.each([...documents.keys()])('are up to date ("npm run generate" writes them): %s', (path) => {
    expect(readFileSync(path, 'utf8')).toBe(documents.get(path))
  })
})

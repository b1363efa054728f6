import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { cliLoaders } from './cli-loaders.ts'
import { generatedDocuments } from './generated-documents.ts'
import { packageRoot } from './package-root.ts'
import { processIo } from './process-io.ts'

const context = { io: processIo(), loaders: cliLoaders, setExitCode: () => undefined }
for (const [path, text] of generatedDocuments(context)) {
  const absolute = join(packageRoot(), path)
  mkdirSync(dirname(absolute), { recursive: true })
  writeFileSync(absolute, text)
  process.stdout.write(`wrote ${path}\n`)
}

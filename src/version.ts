import { existsSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'

/** The version of this package, from the nearest package.json above: the sources and a build lie at other depths. */
export const packageVersion: string = readVersion(import.meta.dirname)

function readVersion(directory: string): string {
  const manifest = join(directory, 'package.json')
  if (!existsSync(manifest)) return readVersion(dirname(directory))
  return (JSON.parse(readFileSync(manifest, 'utf8')) as { version: string }).version
}

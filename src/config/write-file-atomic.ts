import { randomBytes } from 'node:crypto'
import { type FileHandle, link, open, rename, rm } from 'node:fs/promises'
import { dirname } from 'node:path'

export interface WriteFileOptions {
  /** Permission bits; 0o600 for secrets. */
  mode: number
  /** Whether a file that is there already may be replaced. */
  replace: boolean
}

/**
 * Writes a file so that a crash leaves the old one or the new one, never half: temporary file beside it, fsync,
 * rename, fsync of the directory.
 * @throws Error with code `EEXIST` when the file is there and `replace` is false
 */
export async function writeFileAtomic(path: string, text: string, options: WriteFileOptions): Promise<void> {
  const temporary = `${path}.${randomBytes(6).toString('hex')}.tmp`
  const file = await open(temporary, 'wx', options.mode)
  try {
    await fill(file, text, options.mode)
    if (options.replace) await rename(temporary, path)
    else await link(temporary, path)
  } finally {
    await rm(temporary, { force: true })
  }
  await syncDirectory(dirname(path))
}

async function fill(file: FileHandle, text: string, mode: number): Promise<void> {
  try {
    // The umask may have taken bits away.
    await file.chmod(mode)
    await file.writeFile(text)
    await file.sync()
  } finally {
    await file.close()
  }
}

async function syncDirectory(path: string): Promise<void> {
  // Windows cannot open a directory; its rename is durable enough without.
  if (process.platform === 'win32') return
  const directory = await open(path, 'r')
  try {
    await directory.sync()
  } finally {
    await directory.close()
  }
}

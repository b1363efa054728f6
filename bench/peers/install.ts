import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

const DIRECTORY = import.meta.dirname
const LOCK = join(DIRECTORY, 'package-lock.json')
/** Holds the SHA-256 of the lock that was installed. */
const STAMP = join(DIRECTORY, 'node_modules', '.installed-lock')
const DEADLINE_MS = 300_000
/** How much of npm's output is kept for the message when it fails, characters. */
const OUTPUT_MAX = 10_000

/** Resolves to the folder of the other connectors' packages, installed as the lock says if they are not yet. */
export async function installPeers(): Promise<string> {
  const lockDigest = createHash('sha256').update(readFileSync(LOCK)).digest('hex')
  if (installedDigest() !== lockDigest) {
    rmSync(STAMP, { force: true })
    await runNpmCi()
    writeFileSync(STAMP, lockDigest)
  }
  return join(DIRECTORY, 'node_modules')
}

function installedDigest(): string | undefined {
  try {
    return readFileSync(STAMP, 'utf8')
  } catch {
    return undefined
  }
}

/** Without install scripts: nothing here needs to be compiled. */
async function runNpmCi(): Promise<void> {
  const args = ['ci', '--ignore-scripts', '--no-audit', '--no-fund']
  const npm = process.env.npm_execpath
  const options = { cwd: DIRECTORY, timeout: DEADLINE_MS }
  const child =
    npm === undefined
      ? spawn('npm', args, { ...options, shell: process.platform === 'win32' })
      : spawn(process.execPath, [npm, ...args], options)
  let output = ''
  const keep = (chunk: Buffer): void => {
    output = (output + chunk.toString()).slice(-OUTPUT_MAX)
  }
  child.stdout.on('data', keep)
  child.stderr.on('data', keep)
  const ending = await new Promise<string>((resolve) => {
    child.once('error', (error) => resolve(error.message))
    child.once('close', (code, signal) => resolve(code === null ? String(signal) : `code ${code}`))
  })
  if (ending === 'code 0') return
  throw new Error(
    `"npm ci" in bench/peers failed (${ending}): the bench compares with packages of the registry; run it where npm reaches one, or leave ilp-connector out\n${output}`,
  )
}

import { spawn, spawnSync } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { temporaryDirectory } from '../config/config-helpers.ts'

const LAUNCHER = resolve('bin/causeway.mjs')
/** A Node older than the project needs, when the machine has one. */
const OLD_NODE = ['/usr/bin/node', '/usr/local/bin/node'].find((path) => {
  if (!existsSync(path)) return false
  const { stdout } = spawnSync(path, ['--version'], { encoding: 'utf8' })
  const major = Number(/^v(\d+)/.exec(stdout)?.[1])
  return major >= 18 && major < 24
})
if (OLD_NODE === undefined)
  console.warn('launcher.test.ts: NO NODE 18 TO 23 ON THIS MACHINE: tests with an old Node are skipped')

const launch = (node: string, args: string[], launcher = LAUNCHER) =>
  spawnSync(node, [launcher, ...args], { encoding: 'utf8', timeout: 20_000 })

/** A package tree with a CLI that tells how it runs. */
function fakePackage(options: { published: boolean; bundledNode: boolean }): string {
  const base = temporaryDirectory()
  const root = options.published ? join(base, 'node_modules', 'causeway') : join(base, 'causeway')
  mkdirSync(join(root, 'bin'), { recursive: true })
  cpSync(LAUNCHER, join(root, 'bin', 'causeway.mjs'))
  writeFileSync(join(root, 'package.json'), '{ "type": "module" }')
  const cli = (kind: string) => `
    if (process.argv[2] === 'wait') {
      const timer = setInterval(() => undefined, 1000)
      for (const signal of ['SIGTERM', 'SIGHUP']) process.on(signal, () => { clearInterval(timer); console.log('got ' + signal); process.exitCode = 9 })
      console.log('ready')
    } else {
      console.log(JSON.stringify({ kind: '${kind}', args: process.argv.slice(2), node: process.versions.node }))
      process.exitCode = 5
    }`
  for (const [kind, path] of [
    ['source', 'src/cli/causeway.ts'],
    ['dist', 'dist/src/cli/causeway.js'],
  ] as const) {
    mkdirSync(join(root, path, '..'), { recursive: true })
    writeFileSync(join(root, path), cli(kind))
  }
  if (options.bundledNode) {
    const bundle = join(root, 'node_modules', `node-${process.platform}-${process.arch}`)
    mkdirSync(join(bundle, 'bin'), { recursive: true })
    writeFileSync(join(bundle, 'package.json'), '{}')
    symlinkSync(process.execPath, join(bundle, 'bin', 'node'))
  }
  return join(root, 'bin', 'causeway.mjs')
}

describe('the launcher', () => {
  it('runs the CLI in its own process on a Node that is new enough, without warnings', () => {
    const { status, stdout, stderr } = launch(process.execPath, ['--version'])
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
    expect(stdout).toMatch(/^\d+\.\d+\.\d+\n$/)
  })

  it('keeps exit codes', () => {
    expect(launch(process.execPath, ['nonsense']).status).toBe(2)
  })

  it.each([
    [true, 'dist'],
    [false, 'source'],
  ])(
    'runs compiled files in a published package and sources in a clone (published: %s)',
    (published, kind) => {
      const { stdout, status } = launch(
        process.execPath,
        ['a', 'b c'],
        fakePackage({ published, bundledNode: false }),
      )
      expect(JSON.parse(stdout)).toMatchObject({ kind, args: ['a', 'b c'] })
      expect(status).toBe(5)
    },
  )

  it('says what is wrong with a package without its program', () => {
    const root = temporaryDirectory()
    mkdirSync(join(root, 'bin'))
    cpSync(LAUNCHER, join(root, 'bin', 'causeway.mjs'))
    const { status, stderr } = launch(process.execPath, [], join(root, 'bin', 'causeway.mjs'))
    expect(status).toBe(1)
    expect(stderr).toContain('the program is missing from')
  })

  describe.skipIf(OLD_NODE === undefined)('on an old Node', () => {
    const old = OLD_NODE ?? ''

    it('runs the real CLI without warnings', () => {
      const { status, stdout, stderr } = launch(old, ['--version'])
      expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
      expect(stdout).toMatch(/^\d+\.\d+\.\d+\n$/)
    })

    it('runs the bundled Node with the same arguments, and keeps the exit code', () => {
      const { status, stdout } = launch(
        old,
        ['a', 'b c'],
        fakePackage({ published: false, bundledNode: true }),
      )
      expect(JSON.parse(stdout)).toMatchObject({ args: ['a', 'b c'], node: process.versions.node })
      expect(status).toBe(5)
    })

    it('says what to do when there is no Node that is new enough', () => {
      const { status, stderr } = launch(old, [], fakePackage({ published: false, bundledNode: false }))
      expect(status).toBe(1)
      expect(stderr).toMatch(
        /^causeway: needs Node 24 or newer; this is \d+\.\d+\.\d+, and no Node package is installed for /,
      )
      expect(stderr).toContain('Install Node 24, or run "npm ci" without --omit=optional.')
    })

    it.each(['SIGTERM', 'SIGHUP'] as const)('passes %s on and ends as the CLI ends', async (signal) => {
      const child = spawn(old, [fakePackage({ published: false, bundledNode: true }), 'wait'], {
        stdio: ['ignore', 'pipe', 'inherit'],
      })
      onTestFinished(() => void child.kill('SIGKILL'))
      let output = ''
      const ended = new Promise<number | null>((resolve) => child.once('close', resolve))
      child.stdout.on('data', (part: Buffer) => {
        output += part.toString()
        if (output === 'ready\n') child.kill(signal)
      })
      expect(await ended).toBe(9)
      expect(output).toBe(`ready\ngot ${signal}\n`)
    })
  })
})

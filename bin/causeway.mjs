#!/usr/bin/env node
// Starts the command line on a Node that is new enough. Plain JavaScript for any Node from 18 on: it must run where
// the rest cannot, to say what to do.
import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { constants } from 'node:os'
import { dirname, join, sep } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'

const NODE_MAJOR_MIN = 24
const root = dirname(dirname(fileURLToPath(import.meta.url)))

/** The CLI: compiled in a published package, where Node does not strip types; its source otherwise. */
function findCli() {
  const compiled = join(root, 'dist', 'src', 'cli', 'causeway.js')
  const source = join(root, 'src', 'cli', 'causeway.ts')
  const isPublished = root.includes(`${sep}node_modules${sep}`)
  const candidates = isPublished ? [compiled] : [source, compiled]
  return candidates.find((path) => existsSync(path))
}

/** The Node that the optional package of this platform brings. */
function findBundledNode() {
  const platform = process.platform === 'win32' ? 'win' : process.platform
  const name = `node-${platform}-${process.arch}`
  try {
    const directory = dirname(createRequire(import.meta.url).resolve(`${name}/package.json`))
    const path = join(directory, 'bin', process.platform === 'win32' ? 'node.exe' : 'node')
    return existsSync(path) ? path : undefined
  } catch {
    return undefined
  }
}

function fail(message) {
  process.stderr.write(`causeway: ${message}\n`)
  process.exitCode = 1
}

/** Runs the CLI in a child and behaves as if it were this process. */
function runWith(node, cli) {
  const child = spawn(node, [cli, ...process.argv.slice(2)], {
    stdio: 'inherit',
    env: { ...process.env, CAUSEWAY_LAUNCHED_AS: process.argv[1] ?? '' },
  })
  const forward = (signal) => {
    // A terminal gives its Ctrl-C to the whole process group; passing it on would make it a second signal.
    if (signal === 'SIGINT' && process.stdin.isTTY) return
    child.kill(signal)
  }
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP', ...(process.platform === 'win32' ? [] : ['SIGUSR2'])]
  for (const signal of signals) process.on(signal, forward)
  child.on('error', (error) =>
    fail(`${node} cannot be run: ${error.message}. Install Node ${NODE_MAJOR_MIN}.`),
  )
  child.on('exit', (code, signal) => {
    process.exitCode = code ?? 128 + (constants.signals[signal] ?? 0)
    for (const name of signals) process.off(name, forward)
  })
}

const cli = findCli()
if (cli === undefined) {
  fail(`the program is missing from ${root}. Install the package again.`)
} else if (Number(process.versions.node.split('.')[0]) >= NODE_MAJOR_MIN) {
  await import(pathToFileURL(cli).href)
} else {
  const node = findBundledNode()
  if (node !== undefined) runWith(node, cli)
  else {
    fail(
      `needs Node ${NODE_MAJOR_MIN} or newer; this is ${process.versions.node}, and no Node package is installed for ` +
        `${process.platform}-${process.arch}. Install Node ${NODE_MAJOR_MIN}, or run "npm ci" without --omit=optional.`,
    )
  }
}

import { basename, relative } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import type { CliIo, TextOutput } from './cli-io.ts'
import { terminalInput } from './terminal-input.ts'

/** The process's own streams, environment, clock and signals. */
export function processIo(): CliIo {
  const interrupt = new AbortController()
  let listening = false
  return {
    stdout: toOutput(process.stdout),
    stderr: toOutput(process.stderr),
    stdin: terminalInput(),
    env: process.env,
    workingDirectory: process.cwd(),
    commandName: commandName(process.env.CAUSEWAY_LAUNCHED_AS ?? process.argv[1] ?? '', process.env),
    get interrupted() {
      // Only commands that ask take Ctrl-C over from the process, and `start` leaves it to the node.
      if (!listening) {
        listening = true
        process.once('SIGINT', () => interrupt.abort())
      }
      return interrupt.signal
    },
    now: () => Date.now(),
    sleep: async (ms, signal) => {
      try {
        await delay(ms, undefined, { signal })
      } catch {
        // Aborted: the caller looks at its signal.
      }
    },
  }
}

function toOutput(stream: NodeJS.WriteStream): TextOutput {
  // A reader that goes away (`causeway routes list | head`) is no fault.
  stream.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error
    process.exit(0)
  })
  return { write: (text) => void stream.write(text), isTty: stream.isTTY === true }
}

/** `npx causeway` in a clone started by an npm script, `causeway` when installed, the path otherwise. */
export function commandName(launchedAs: string, env: Readonly<Record<string, string | undefined>>): string {
  if (env.npm_lifecycle_event !== undefined) return 'npx causeway'
  const name = basename(launchedAs)
  if (name === 'causeway' || name === 'causeway.cmd') return 'causeway'
  const path = relative(process.cwd(), launchedAs)
  return path === '' || path.includes(' ') ? 'causeway' : `node ${path}`
}

import { createInterface } from 'node:readline'
import { Writable } from 'node:stream'
import { CliError } from './cli-error.ts'
import type { SecretInput } from './cli-io.ts'
import { ExitCode } from './exit-code.ts'

/** Secrets are lines; more than this is another file. */
const PIPED_BYTES_MAX = 4_096

/** The process's own standard input. Questions go to standard error; what is typed is shown nowhere. */
export function terminalInput(): SecretInput {
  return {
    get isTty() {
      return process.stdin.isTTY === true
    },
    ask,
    readAll,
  }
}

async function ask(question: string): Promise<string> {
  const nowhere = new Writable({ write: (_chunk, _encoding, done) => done() })
  const lines = createInterface({ input: process.stdin, output: nowhere, terminal: true, historySize: 0 })
  process.stderr.write(question)
  try {
    return await new Promise((resolve, reject) => {
      lines.question('', resolve)
      // Ctrl-C and Ctrl-D.
      lines.once('close', () => reject(new CliError(ExitCode.interrupted, 'nothing was entered')))
    })
  } finally {
    lines.close()
    process.stderr.write('\n')
  }
}

async function readAll(): Promise<string> {
  const parts: Buffer[] = []
  let bytes = 0
  for await (const part of process.stdin as AsyncIterable<Buffer>) {
    bytes += part.length
    if (bytes > PIPED_BYTES_MAX) {
      throw new CliError(ExitCode.usage, `standard input holds more than ${PIPED_BYTES_MAX} bytes`)
    }
    parts.push(part)
  }
  return Buffer.concat(parts).toString('utf8')
}

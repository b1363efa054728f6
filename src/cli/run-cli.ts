import { CommanderError } from 'commander'
import { ConfigError } from '../config/config-error.ts'
import { SecretError } from '../config/secret-error.ts'
import { CliError } from './cli-error.ts'
import type { CliIo, CliLoaders } from './cli-io.ts'
import { ExitCode } from './exit-code.ts'
import { toJson } from './output.ts'
import { buildProgram } from './program.ts'

/** Runs one command line, without the program's name. Resolves with the exit code; never rejects. */
export async function runCli(args: readonly string[], io: CliIo, loaders: CliLoaders): Promise<number> {
  let exitCode: number = ExitCode.ok
  const program = buildProgram({
    io,
    loaders,
    setExitCode: (code) => {
      exitCode = code
    },
  })
  try {
    await program.parseAsync([...args], { from: 'user' })
    return exitCode
  } catch (error) {
    // Commander has written its own message already.
    if (error instanceof CommanderError) return error.exitCode === 0 ? ExitCode.ok : ExitCode.usage
    const failure = describeFailure(error)
    report(failure, args.includes('--json'), io)
    return failure.exitCode
  }
}

interface Failure {
  exitCode: ExitCode
  message: string
}

function describeFailure(error: unknown): Failure {
  if (error instanceof CliError) return { exitCode: error.exitCode, message: error.message }
  if (error instanceof ConfigError || error instanceof SecretError) {
    return { exitCode: ExitCode.configuration, message: error.message }
  }
  return { exitCode: ExitCode.failed, message: error instanceof Error ? error.message : String(error) }
}

function report(failure: Failure, json: boolean, io: CliIo): void {
  const name = Object.entries(ExitCode).find(([, code]) => code === failure.exitCode)?.[0]
  const text = json
    ? toJson({ error: { code: name, exitCode: failure.exitCode, message: failure.message } })
    : `causeway: ${failure.message}`
  io.stderr.write(`${text}\n`)
}

import type { ExitCode } from './exit-code.ts'

/** Ends a command with a message for people and an exit code for programs. */
export class CliError extends Error {
  override readonly name = 'CliError'
  readonly exitCode: ExitCode
  constructor(exitCode: ExitCode, message: string) {
    super(message)
    this.exitCode = exitCode
  }
}

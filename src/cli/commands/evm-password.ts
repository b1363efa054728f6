import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import type { Command } from 'commander'
import { CliError } from '../cli-error.ts'
import type { CommandContext } from '../command-context.ts'
import { ExitCode } from '../exit-code.ts'

export interface PasswordFlags {
  passwordFile?: string
}

export function addPasswordOption(command: Command): Command {
  return command.option('--password-file <file>', 'password of the keystore; default: asked on the terminal')
}

/** The password of a new keystore: from the file, or typed twice. */
export async function newPassword(flags: PasswordFlags, context: CommandContext): Promise<string> {
  if (flags.passwordFile !== undefined) return await readPassword(flags.passwordFile, context)
  const password = await ask('password of the new keystore: ', context)
  if (password === '') throw new CliError(ExitCode.usage, 'the password is empty: nothing was written')
  if ((await ask('the same again: ', context)) === password) return password
  throw new CliError(ExitCode.usage, 'the two passwords differ: nothing was written')
}

/** The password of a keystore file; undefined for a file that holds a bare key. */
export async function passwordOf(
  keyFile: string,
  flags: PasswordFlags,
  context: CommandContext,
): Promise<string | undefined> {
  if (flags.passwordFile !== undefined) return await readPassword(flags.passwordFile, context)
  return isKeystore(keyFile) ? await ask(`password of ${keyFile}: `, context) : undefined
}

async function readPassword(file: string, { io, loaders }: CommandContext): Promise<string> {
  const { readPassword } = await loaders.loadEvmTools()
  return readPassword(resolve(io.workingDirectory, file))
}

async function ask(question: string, { io }: CommandContext): Promise<string> {
  if (!io.stdin.isTty) {
    throw new CliError(ExitCode.usage, 'there is no terminal to ask for the password: give --password-file')
  }
  return await io.stdin.ask(question)
}

/** A guess, to know whether to ask: what opens the file checks it. */
function isKeystore(path: string): boolean {
  try {
    return readFileSync(path, 'utf8').trimStart().startsWith('{')
  } catch {
    return false
  }
}

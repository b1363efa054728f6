import { resolve } from 'node:path'
import type { Command } from 'commander'
import { CliError } from '../cli-error.ts'
import { addJsonOption, type CommandContext, type JsonFlags, openOutput } from '../command-context.ts'
import { ExitCode } from '../exit-code.ts'
import { addPasswordOption, newPassword, type PasswordFlags, passwordOf } from './evm-password.ts'

interface NewKeyFlags extends JsonFlags, PasswordFlags {
  out: string
}

export function registerEvmKey(evm: Command, context: CommandContext): void {
  const key = evm.command('key').description('key files: encrypted keystores that their owner alone may read')
  const create = key.command('create').description('a new key in a new keystore file')
  addNewKeyOptions(create).action((flags: NewKeyFlags) => write(flags, undefined, context))
  const bring = key
    .command('import')
    .description('a keystore file for a private key from standard input, or typed on the terminal')
  addNewKeyOptions(bring).action(async (flags: NewKeyFlags) =>
    write(flags, await readPrivateKey(flags, context), context),
  )
  const address = key
    .command('address')
    .description('the address of a key; opens its file to be sure')
    .argument('<file>', 'keystore, or file with a bare key')
  addJsonOption(addPasswordOption(address)).action(async (file: string, flags: PasswordFlags & JsonFlags) => {
    const path = resolve(context.io.workingDirectory, file)
    const password = await passwordOf(path, flags, context)
    const found = await (await context.loaders.loadEvmTools()).addressOf(path, password)
    openOutput(flags, context).result({ address: found }, () => found)
  })
}

function addNewKeyOptions(command: Command): Command {
  return addJsonOption(
    addPasswordOption(command.requiredOption('--out <file>', 'keystore file to write; never replaced')),
  )
}

async function write(
  flags: NewKeyFlags,
  privateKey: string | undefined,
  context: CommandContext,
): Promise<void> {
  const file = resolve(context.io.workingDirectory, flags.out)
  const password = await newPassword(flags, context)
  const tools = await context.loaders.loadEvmTools()
  const address = await tools.createKey(file, password, privateKey)
  openOutput(flags, context).result({ address, file }, () => address)
}

/** Never an argument: those can be seen by others and stay in the shell's history. */
async function readPrivateKey(flags: NewKeyFlags, { io }: CommandContext): Promise<string> {
  if (!io.stdin.isTty && flags.passwordFile === undefined) {
    throw new CliError(
      ExitCode.usage,
      'the key comes from standard input: give the password by --password-file',
    )
  }
  const question = 'private key, 64 hexadecimal digits: '
  const text = (io.stdin.isTty ? await io.stdin.ask(question) : await io.stdin.readAll()).trim()
  if (/^(?:0x)?[0-9a-fA-F]{64}$/.test(text)) return text.startsWith('0x') ? text : `0x${text}`
  throw new CliError(ExitCode.usage, 'that is no private key: it must be 64 hexadecimal digits')
}

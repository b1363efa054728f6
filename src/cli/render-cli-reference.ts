import type { Command } from 'commander'
import { CLI_VARIABLES } from '../config/env.ts'
import { EXIT_CODE_MEANINGS, ExitCode } from './exit-code.ts'

/** The reference page of the command line, Markdown, from the commands as they are. */
export function renderCliReference(program: Command): string {
  const commands = program.commands.flatMap((command) => renderCommand(command, program.name(), '##'))
  return `${[INTRODUCTION, ...commands, renderExitCodes(), ENVIRONMENT].join('\n\n')}\n`
}

const INTRODUCTION = `<!-- Generated from src/cli by "npm run generate". Do not edit. -->

# Command line reference

\`causeway <command>\`; in a clone that is not installed, \`npx causeway <command>\`. Every command explains itself with \`--help\`.

Results go to standard output, everything else (messages, progress, warnings) to standard error. With \`--json\` the result is
one JSON document with the fields of the admin API, amounts as decimal strings; commands that go on (\`receive\`, \`start\`) print
one JSON object per line. Errors are then one JSON object on standard error: \`{"error":{"code","exitCode","message"}}\`.
Colours appear on terminals only, and not when \`NO_COLOR\` is set.

Commands that talk to a running node find it through its configuration (\`admin.host\`, \`admin.port\`) and mint a token of one
minute with its admin key. From another machine, give \`CAUSEWAY_URL\` and \`CAUSEWAY_TOKEN\`.`

function renderCommand(command: Command, parent: string, heading: string): string[] {
  const path = `${parent} ${command.name()}`
  const children = command.commands.filter((child) => child.name() !== 'help')
  const parts = [`${heading} \`${path}\``, `${capitalise(command.description())}.`]
  if (children.length > 0) {
    const usual = command.commands.find((child) => isDefault(command, child))
    if (usual !== undefined) parts.push(`Without a further word: \`${path} ${usual.name()}\`.`)
    return [parts.join('\n\n'), ...children.flatMap((child) => renderCommand(child, path, '###'))]
  }
  parts.push(`\`\`\`\n${path} ${command.usage()}\n\`\`\``)
  const help = command.createHelp()
  const rows = [
    ...command.registeredArguments.map((argument) => [argument.name(), help.argumentDescription(argument)]),
    ...help
      .visibleOptions(command)
      .filter((option) => option.long !== '--help')
      .map((option) => [option.flags, help.optionDescription(option)]),
  ]
  if (rows.length > 0) {
    const lines = rows.map(([name, text]) => `| \`${name}\` | ${(text ?? '').replaceAll('|', '\\|')} |`)
    parts.push(['| Argument or option | Meaning |', '|---|---|', ...lines].join('\n'))
  }
  return [parts.join('\n\n')]
}

function isDefault(parent: Command, child: Command): boolean {
  return (parent as unknown as { _defaultCommandName: string | null })._defaultCommandName === child.name()
}

function capitalise(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1)
}

function renderExitCodes(): string {
  const rows = Object.entries(ExitCode).map(
    ([name, code]) => `| ${code} | \`${name}\` | ${EXIT_CODE_MEANINGS[name as keyof typeof ExitCode]} |`,
  )
  return ['## Exit codes', ['| Code | Name | Meaning |', '|---|---|---|', ...rows].join('\n')].join('\n\n')
}

const ENVIRONMENT = `## Environment

| Variable | Meaning |
|---|---|
${CLI_VARIABLES.map(({ name, description }) => `| \`${name}\` | ${description} |`).join('\n')}
| \`NO_COLOR\` | When set, no colours. |

Variables that set values of the configuration are in [the configuration reference](configuration.md#environment-variables).`

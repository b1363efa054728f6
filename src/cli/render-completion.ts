import type { Command } from 'commander'

export const SHELLS = ['bash', 'zsh', 'fish'] as const
export type Shell = (typeof SHELLS)[number]

interface Word {
  text: string
  description: string
}

/** What can follow on the command line after some commands. */
interface Level {
  /** `causeway`, `causeway peers`, … */
  path: string
  commands: Word[]
  options: Word[]
}

/** A completion script for a shell, from the commands as they are. */
export function renderCompletion(program: Command, shell: Shell): string {
  const levels = collectLevels(program, program.name())
  switch (shell) {
    case 'bash':
      return renderBash(levels)
    case 'zsh':
      return `autoload -U +X bashcompinit && bashcompinit\n${renderBash(levels)}`
    case 'fish':
      return renderFish(levels)
  }
}

function collectLevels(command: Command, path: string): Level[] {
  const help = command.createHelp()
  const visible = help.visibleCommands(command)
  const level = {
    path,
    commands: visible.map((child) => ({ text: child.name(), description: child.description() })),
    options: help.visibleOptions(command).map((option) => ({
      text: option.long ?? option.short ?? '',
      description: option.description,
    })),
  }
  return [level, ...command.commands.flatMap((child) => collectLevels(child, `${path} ${child.name()}`))]
}

function renderBash(levels: Level[]): string {
  const cases = levels.map(({ path, commands, options }) => {
    const words = [...commands, ...options].map(({ text }) => text)
    return `    '${path}') words='${words.join(' ')}' ;;`
  })
  const known = levels.map(({ path }) => `'${path}'`).join('|')
  return `# bash completion for causeway
_causeway() {
  local current="\${COMP_WORDS[COMP_CWORD]}" path='causeway' words='' index
  for ((index = 1; index < COMP_CWORD; index++)); do
    case "$path \${COMP_WORDS[index]}" in
      ${known}) path="$path \${COMP_WORDS[index]}" ;;
    esac
  done
  case "$path" in
${cases.join('\n')}
  esac
  COMPREPLY=($(compgen -W "$words" -- "$current"))
  if [ "\${#COMPREPLY[@]}" -eq 0 ]; then COMPREPLY=($(compgen -f -- "$current")); fi
}
complete -F _causeway causeway
`
}

function renderFish(levels: Level[]): string {
  const lines = levels.flatMap(({ path, commands, options }) => {
    const [, ...words] = path.split(' ')
    const condition = fishCondition(words, commands)
    return [
      ...commands.map(({ text, description }) => `${condition} -f -a ${text} -d ${quote(description)}`),
      ...options
        .filter(({ text }) => text.startsWith('--'))
        .map(({ text, description }) => `${condition} -l ${text.slice(2)} -d ${quote(description)}`),
    ]
  })
  return `# fish completion for causeway\n${lines.join('\n')}\n`
}

function fishCondition(words: string[], commands: Word[]): string {
  if (words.length === 0) return 'complete -c causeway -n __fish_use_subcommand'
  const seen = words.map((word) => `__fish_seen_subcommand_from ${word}`)
  const names = commands.map(({ text }) => text).join(' ')
  const unseen = names === '' ? [] : [`not __fish_seen_subcommand_from ${names}`]
  return `complete -c causeway -n '${[...seen, ...unseen].join('; and ')}'`
}

function quote(text: string): string {
  return `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`
}

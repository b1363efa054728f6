/** One thing wrong with the configuration. */
export interface ConfigProblem {
  /** Where, e.g. `peers[0].creditLimit`; empty for the whole. */
  path: string
  /** What is wrong, with what was given unless that may be a secret. */
  message: string
  /** What to do about it. */
  fix?: string
  /** Line of the configuration file, from 1. */
  line?: number
  /** The environment variable or flag the value came from, when it is not the file. */
  from?: string
}

/** Problems listed in one message; a file that is wrong throughout should not fill the screen. */
const PROBLEMS_SHOWN_MAX = 20

/** The configuration cannot be used. `message` lists every problem, one per line, without secrets. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError'
  readonly problems: ConfigProblem[]
  /** The configuration file, when there was one. */
  readonly file: string | undefined

  constructor(problems: ConfigProblem[], file: string | undefined) {
    super(describe(problems, file))
    this.problems = problems
    this.file = file
  }
}

/** One line for one problem: `path (line 3): what is wrong. What to do.` */
function describeProblem(problem: ConfigProblem): string {
  const origin = problem.from ?? (problem.line === undefined ? undefined : `line ${problem.line}`)
  const place = [problem.path, origin === undefined ? '' : `(${origin})`]
    .filter((part) => part !== '')
    .join(' ')
  const text = problem.fix === undefined ? problem.message : `${problem.message}. ${problem.fix}`
  return place === '' ? text : `${place}: ${text}`
}

function describe(problems: ConfigProblem[], file: string | undefined): string {
  const count = problems.length === 1 ? '1 problem' : `${problems.length} problems`
  const lines = problems.slice(0, PROBLEMS_SHOWN_MAX).map((problem) => `  ${describeProblem(problem)}`)
  if (problems.length > PROBLEMS_SHOWN_MAX) {
    lines.push(`  … and ${problems.length - PROBLEMS_SHOWN_MAX} more`)
  }
  return `the configuration cannot be used: ${count}${file === undefined ? '' : ` in ${file}`}\n${lines.join('\n')}`
}

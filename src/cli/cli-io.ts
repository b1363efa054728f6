import type { RunNode } from '../config/run-options.ts'

/** Where text goes. */
export interface TextOutput {
  write(text: string): void
  readonly isTty: boolean
}

/** The world as the commands see it; tests give their own. */
export interface CliIo {
  /** Results. */
  stdout: TextOutput
  /** Messages, progress and errors. */
  stderr: TextOutput
  env: Readonly<Record<string, string | undefined>>
  workingDirectory: string
  /** How the user started this program, for commands in messages: `causeway`, `npx causeway`. */
  commandName: string
  /** Aborted by Ctrl-C, while a command listens to it. */
  interrupted: AbortSignal
  /** Milliseconds since the epoch. */
  now(): number
  /** Resolves after the time, or as soon as `signal` is aborted. */
  sleep(ms: number, signal: AbortSignal): Promise<void>
}

/** Parts that are loaded when a command needs them: most commands start faster without. */
export interface CliLoaders {
  /** The composition root of a node. */
  loadRunNode(): Promise<RunNode>
  /** The demonstration. */
  loadRunDemo(): Promise<RunDemo>
}

interface DemoOptions {
  json: boolean
}

/** Runs the demonstration; resolves with the exit code of the process. */
type RunDemo = (options: DemoOptions) => Promise<number>

import type { RunEngine } from '../config/run-engine.ts'
import type { RunNode } from '../config/run-options.ts'
import type { EvmTools } from './evm/evm-tools.ts'

/** Where text goes. */
export interface TextOutput {
  write(text: string): void
  readonly isTty: boolean
}

/** Where secrets come from: never from the command line. */
export interface SecretInput {
  readonly isTty: boolean
  /**
   * A line typed at the terminal; it is not shown.
   * @throws CliError when Ctrl-C or Ctrl-D is typed instead
   */
  ask(question: string): Promise<string>
  /** All that is piped in, some kilobytes at most. */
  readAll(): Promise<string>
}

/** The world as the commands see it; tests give their own. */
export interface CliIo {
  /** Results. */
  stdout: TextOutput
  /** Messages, progress and errors. */
  stderr: TextOutput
  stdin: SecretInput
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
  /** The composition root of an engine that is served to a foreign connector. */
  loadRunEngine(): Promise<RunEngine>
  /** The demonstration. */
  loadRunDemo(): Promise<RunDemo>
  /** The demonstration of settlement. */
  loadRunSettleDemo(): Promise<RunDemo>
  /** What the `evm` commands do. */
  loadEvmTools(): Promise<EvmTools>
}

interface DemoOptions {
  json: boolean
}

/** Runs the demonstration; resolves with the exit code of the process. */
type RunDemo = (options: DemoOptions) => Promise<number>

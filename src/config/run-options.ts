import type { LocalAccountView, NodeInfo } from '../admin/services.ts'
import type { LoadedConfiguration } from './load.ts'

/** What the composition root is run with, beside the configuration. */
export interface RunOptions {
  /**
   * Reads the configuration again, from the same file, environment and flags.
   * @throws ConfigError or SecretError when it cannot be used; the running one then stays
   */
  reload: () => LoadedConfiguration
  /** Called once, when every listener is open and the node takes packets. */
  started: (info: StartedInfo) => void
}

/** What is known once the node is up. */
export interface StartedInfo {
  node: NodeInfo
  /** Where health, metrics and the admin API answer, e.g. `http://127.0.0.1:8080`. */
  adminUrl: string
  localAccounts: LocalAccountView[]
}

/** Runs a node until it is told to stop. Resolves with the exit code of the process. */
export type RunNode = (loaded: LoadedConfiguration, options: RunOptions) => Promise<number>

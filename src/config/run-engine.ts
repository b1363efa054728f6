import type { LoadedEngineConfiguration } from './load-engine-config.ts'

/** What is known once an engine is served. */
export interface StartedEngine {
  name: string
  /** Where the connector reaches it (RFC 38), e.g. `http://127.0.0.1:3000`. */
  url: string
  /** Where operators reach it; undefined: nowhere. */
  adminUrl: string | undefined
  /** The connector it serves. */
  connectorUrl: string
}

export interface RunEngineOptions {
  /** Called once, when the engine is served. */
  started: (info: StartedEngine) => void
  /** Have the engine check its configuration, start nothing, and end. */
  checkOnly?: boolean
}

/** Serves an engine until it is told to stop. Resolves with the exit code of the process. */
export type RunEngine = (
  name: string,
  loaded: LoadedEngineConfiguration,
  options: RunEngineOptions,
) => Promise<number>

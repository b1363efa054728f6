/** How far an engine has come up. */
export interface EngineStart {
  /** When it began to run, or was first tried, while it does not; milliseconds since the epoch. Undefined: not tried yet. */
  readonly sinceMs: number | undefined
  /** Why the last attempt failed; undefined once it runs. */
  readonly lastError: string | undefined
}

/** An engine of the configuration, whether it runs or not. */
export interface ConfiguredEngine extends EngineStart {
  readonly name: string
  /** `type` of its section. */
  readonly type: string
}

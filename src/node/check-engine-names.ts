export interface EngineNames {
  /** Those of the configuration. */
  configured: readonly string[]
  /** Those that the configuration says are gone for good. */
  retired: readonly string[]
  /** Those that stand in the journal. */
  inBooks: readonly string[]
}

/**
 * An engine under a new name finds no books: what it was paid would be credited again, and what it paid would be owed
 * again. So a name that is new beside one that is gone needs the operator's word.
 * @returns those that are gone, and not by the operator's word
 * @throws Error when an engine may have been renamed
 */
export function checkEngineNames({ configured, inBooks, retired }: EngineNames): string[] {
  const gone = inBooks.filter((name) => !configured.includes(name) && !retired.includes(name))
  const fresh = configured.filter((name) => !inBooks.includes(name))
  if (gone.length === 0 || fresh.length === 0) return gone
  const list = (names: readonly string[]) => names.map((name) => `"${name}"`).join(', ')
  throw new Error(
    `settlement.engines: ${list(fresh)} is new, and ${list(gone)}, which has settled, is gone. An engine keeps its name for good: ` +
      `give it back if it is the same engine. If it is another one, add ${list(gone)} to settlement.retiredEngines`,
  )
}

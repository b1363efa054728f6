/** Above it the rest is only counted: one cause may show thousands of times. */
const KEPT_MAX = 200

/** What was found wrong. An empty one is the aim of a run. */
export class ProblemLog {
  readonly #say: (line: string) => void
  readonly list: string[] = []
  count = 0

  constructor(say: (line: string) => void) {
    this.#say = say
  }

  add(what: string, details?: unknown): void {
    this.count++
    if (this.list.length >= KEPT_MAX) return
    const text = details === undefined ? what : `${what}: ${toText(details)}`
    this.list.push(text)
    this.#say(`PROBLEM ${text}`)
  }

  /** A problem unless both are the same, to the unit. */
  expectSame(what: string, found: bigint, expected: bigint): void {
    if (found === expected) return
    this.add(`${what} is ${found} and should be ${expected}: ${found - expected} too much`)
  }
}

function toText(details: unknown): string {
  if (details instanceof Error) return details.message
  return JSON.stringify(details, (_, value) => (typeof value === 'bigint' ? String(value) : value))
}

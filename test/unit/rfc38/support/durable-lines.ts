import { closeSync, existsSync, fsyncSync, openSync, readFileSync, writeSync } from 'node:fs'

/** Lines that survive a kill: each is on disk when `add` returns. */
export class DurableLines {
  readonly #file: number
  readonly #known: Set<string>

  constructor(path: string) {
    this.#known = new Set(readLines(path))
    this.#file = openSync(path, 'a')
  }

  /** False when the line is there already. */
  add(line: string): boolean {
    if (this.#known.has(line)) return false
    writeSync(this.#file, `${line}\n`)
    fsyncSync(this.#file)
    this.#known.add(line)
    return true
  }

  get lines(): ReadonlySet<string> {
    return this.#known
  }

  close(): void {
    closeSync(this.#file)
  }
}

export function readLines(path: string): string[] {
  if (!existsSync(path)) return []
  return readFileSync(path, 'utf8').split('\n').filter(Boolean)
}

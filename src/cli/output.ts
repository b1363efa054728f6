import type { CliIo } from './cli-io.ts'
import { oneLine } from './table.ts'

const COLOURS = { red: 31, green: 32, yellow: 33, dim: 2, bold: 1 } as const

/** Writes what commands find: results to standard output, messages to standard error. */
export class Output {
  readonly #io: CliIo
  readonly json: boolean

  constructor(io: CliIo, json: boolean) {
    this.#io = io
    this.json = json
  }

  /** The result: `data` as one JSON document with `--json`, the text otherwise. */
  result(data: unknown, text: () => string): void {
    this.#io.stdout.write(this.json ? `${toJson(data, 2)}\n` : endLine(text()))
  }

  /** One event of a command that goes on: one line of JSON with `--json`, the text otherwise. */
  event(data: unknown, text: () => string): void {
    this.#io.stdout.write(this.json ? `${toJson(data)}\n` : endLine(text()))
  }

  /** For people, beside the result. */
  note(text: string): void {
    this.#io.stderr.write(endLine(text))
  }

  warn(text: string): void {
    this.#io.stderr.write(endLine(`${this.paint('yellow', 'warning:')} ${text}`))
  }

  /** Whether progress may be drawn over itself on standard error. */
  get canRedraw(): boolean {
    return this.#io.stderr.isTty && !this.json
  }

  /** Draws over the line before. Only where {@link canRedraw}. */
  redraw(text: string): void {
    this.#io.stderr.write(`\r\u001B[2K${text}`)
  }

  /** `text` in a colour, on a terminal and without NO_COLOR. */
  paint(colour: keyof typeof COLOURS, text: string): string {
    const { env, stdout, stderr } = this.#io
    const isPlain = this.json || !stdout.isTty || !stderr.isTty || (env.NO_COLOR ?? '') !== ''
    return isPlain ? text : `\u001B[${COLOURS[colour]}m${text}\u001B[0m`
  }
}

/** JSON with exact amounts: a bigint becomes a decimal string. */
export function toJson(data: unknown, indent?: number): string {
  const text = JSON.stringify(
    data,
    (_, value: unknown) => (typeof value === 'bigint' ? String(value) : value),
    indent,
  )
  return text ?? 'null'
}

function endLine(text: string): string {
  return text === '' || text.endsWith('\n') ? text : `${text}\n`
}

/** `name: value` lines, aligned. Rows without a value are left out. */
export function renderFields(fields: readonly (readonly [string, string | undefined])[]): string {
  const shown = fields.filter((field): field is [string, string] => field[1] !== undefined)
  const width = Math.max(...shown.map(([name]) => name.length))
  return shown.map(([name, value]) => `${`${name}:`.padEnd(width + 2)}${oneLine(value)}\n`).join('')
}

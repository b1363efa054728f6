import winston from 'winston'
import type { Logger } from '../lib/logger.ts'
import { redact, redactText } from './redact.ts'

export const LOG_LEVELS = ['error', 'warn', 'info', 'debug'] as const
type LogLevel = (typeof LOG_LEVELS)[number]

export interface LoggerOptions {
  level: LogLevel
  /** `json`: one object per line. `text`: for a terminal. */
  format: 'json' | 'text'
  /** Stands in every line. */
  nodeId: string
}

/** A {@link Logger} whose level can be changed while it is in use; children follow. */
export interface NodeLogger extends Logger {
  level(): LogLevel
  /** @throws RangeError for a word that is not a level */
  setLevel(level: string): void
}

/** One line is at most this many bytes: collectors cut or refuse longer ones (16 KiB in the container runtimes). */
const LINE_BYTES_MAX = 16_000
/** Bytes that a slow reader of the log may leave waiting in memory; beyond it lines are dropped and counted. */
const STREAM_BYTES_MAX = 8 * 1024 * 1024

const LINE = Symbol.for('message')

/**
 * The node's logger: winston behind the small interface that the parts use. Fields with secret-looking names and
 * texts with secret-looking shapes are taken out, lines are bounded, and no call ever throws.
 * @param stream where lines go; standard error is left to crash messages
 */
export function createLogger(
  options: LoggerOptions,
  stream: NodeJS.WritableStream = process.stdout,
): NodeLogger {
  const toLine = options.format === 'json' ? jsonLine : textLine
  let dropped = 0
  const backend = winston.createLogger({
    level: options.level,
    levels: { error: 0, warn: 1, info: 2, debug: 3 },
    exitOnError: false,
    format: {
      transform(info) {
        // A stalled reader must not fill the memory of the node.
        if (((stream as { writableLength?: number }).writableLength ?? 0) > STREAM_BYTES_MAX) {
          dropped++
          return false
        }
        const { level, message, ...fields } = info
        const lost = dropped === 0 ? {} : { linesDropped: dropped }
        dropped = 0
        info[LINE] = toLine(level, String(message), { ...fields, ...lost })
        return info
      },
    },
    transports: [new winston.transports.Stream({ stream })],
  })
  // A closed pipe is no reason to stop a node.
  stream.on('error', () => undefined)
  backend.on('error', () => undefined)
  return new WinstonLogger(backend, { nodeId: options.nodeId })
}

class WinstonLogger implements NodeLogger {
  readonly #backend: winston.Logger
  readonly #fields: Record<string, unknown>

  constructor(backend: winston.Logger, fields: Record<string, unknown>) {
    this.#backend = backend
    this.#fields = fields
  }

  error(message: string, fields?: Record<string, unknown>): void {
    this.#write('error', message, fields)
  }

  warn(message: string, fields?: Record<string, unknown>): void {
    this.#write('warn', message, fields)
  }

  info(message: string, fields?: Record<string, unknown>): void {
    this.#write('info', message, fields)
  }

  debug(message: string, fields?: Record<string, unknown>): void {
    this.#write('debug', message, fields)
  }

  child(fields: Record<string, unknown>): NodeLogger {
    return new WinstonLogger(this.#backend, { ...this.#fields, ...fields })
  }

  level(): LogLevel {
    return this.#backend.level as LogLevel
  }

  setLevel(level: string): void {
    if (!LOG_LEVELS.includes(level as LogLevel)) {
      throw new RangeError(`"${level.slice(0, 40)}" is not a log level: use ${LOG_LEVELS.join(', ')}`)
    }
    this.#backend.level = level
  }

  #write(level: LogLevel, message: string, fields: Record<string, unknown> | undefined): void {
    if (LOG_LEVELS.indexOf(level) > LOG_LEVELS.indexOf(this.level())) return
    try {
      const data = redact({ ...this.#fields, ...fields }) as Record<string, unknown>
      // Our own keys win over fields of the same name.
      this.#backend.log({ ...data, level, message: redactText(String(message)) })
    } catch {
      // Logging is never a reason for the caller to fail.
    }
  }
}

function jsonLine(level: string, message: string, fields: Record<string, unknown>): string {
  const head = { timestamp: new Date().toISOString(), level, message }
  const line = JSON.stringify({ ...head, ...fields, ...head })
  const bytes = Buffer.byteLength(line)
  if (bytes <= LINE_BYTES_MAX) return line
  return JSON.stringify({ ...head, nodeId: fields.nodeId, fieldsCut: true, bytes })
}

function textLine(level: string, message: string, fields: Record<string, unknown>): string {
  const { nodeId: _, ...rest } = fields
  const data = Object.entries(rest)
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => `${oneLine(name)}=${JSON.stringify(value)}`)
  const line = [new Date().toISOString(), level.toUpperCase().padEnd(5), oneLine(message), ...data].join(' ')
  const bytes = Buffer.from(line)
  if (bytes.length <= LINE_BYTES_MAX) return line
  return `${bytes.subarray(0, LINE_BYTES_MAX - 32).toString()}… (${bytes.length} bytes)`
}

/** A message that carries line breaks or terminal controls must not forge lines. */
function oneLine(text: string): string {
  return text.replace(/[\p{Cc}\u2028\u2029]/gu, ' ')
}

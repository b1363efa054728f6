import { format } from 'node:util'

/** Lines per minute that a plugin may log; more are dropped. */
const LINES_PER_MINUTE_MAX = 60
const LINE_LENGTH_MAX = 500
/** Names of options whose values are never logged. */
const SECRET_NAME = /secret|token|password|passphrase|credential|key|seed|auth/i

export type LogLevel = 'error' | 'warn' | 'info'
type Write = (message?: unknown, ...rest: unknown[]) => void
type WriteWithNamespace = Write & { namespace: string }

/** What interledgerjs plugins get as `_log` and `api.log`. */
export interface PluginLog {
  error: Write
  warn: Write
  info: Write
  debug: WriteWithNamespace
  trace: Write
}

/**
 * The log of a plugin: bounded in lines and length, with the secrets among its options masked. `debug` and `trace` go
 * nowhere, since old plugins write tokens and packets there.
 */
export function createPluginLog(
  options: Record<string, unknown>,
  emit: (level: LogLevel, text: string) => void,
  now: () => number,
): PluginLog {
  const secrets = collectSecrets(options)
  let minute = 0
  let lines = 0
  const write =
    (level: LogLevel): Write =>
    (...args) => {
      const thisMinute = Math.floor(now() / 60_000)
      if (thisMinute !== minute) {
        minute = thisMinute
        lines = 0
      }
      lines += 1
      if (lines > LINES_PER_MINUTE_MAX) return
      let text = format(...args)
      for (const secret of secrets) text = text.replaceAll(secret, '[secret]')
      emit(level, text.slice(0, LINE_LENGTH_MAX))
    }
  const silent = Object.assign(() => undefined, { namespace: 'legacy' })
  return { error: write('error'), warn: write('warn'), info: write('info'), debug: silent, trace: silent }
}

function collectSecrets(value: unknown, name = '', found: string[] = [], depth = 0): string[] {
  if (depth > 8) return found
  if (typeof value === 'string') {
    if (SECRET_NAME.test(name) && value.length >= 4) found.push(value)
    const userInfo = /^[a-z+]+:\/\/[^/@]*:([^/@]+)@/i.exec(value)?.[1]
    if (userInfo !== undefined) found.push(value, userInfo)
  } else if (typeof value === 'object' && value !== null) {
    for (const [key, inner] of Object.entries(value)) collectSecrets(inner, key, found, depth + 1)
  }
  return found
}

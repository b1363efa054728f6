import { isLoopback } from '../lib/is-loopback.ts'
import type { CheckReport } from './check-report.ts'
import type { Config } from './schema.ts'

interface Listener {
  path: string
  host: string
  port: number
  hasTls: boolean
}

/** Checks what the node listens on and connects to. */
export function checkNetwork(config: Config, report: CheckReport): void {
  const listeners = listenersOf(config)
  checkClashes(listeners, report)
  for (const { path, host, hasTls } of listeners) {
    if (isLoopback(host) || hasTls) continue
    report.warnings.push(
      `${path}: listens on ${host} without TLS; put a TLS proxy in front of it, or bind to 127.0.0.1`,
    )
  }
  checkOutgoing(config, report)
  checkSpsp(config, report)
}

function listenersOf(config: Config): Listener[] {
  const listeners: Listener[] = [
    { path: 'admin.host', host: config.admin.host, port: config.admin.port, hasTls: false },
  ]
  for (const [name, section] of Object.entries(config.plugins)) {
    const { listen, tls } = section as { listen?: unknown; tls?: unknown }
    if (!isListen(listen)) continue
    listeners.push({ path: `plugins.${name}.listen`, ...listen, hasTls: tls !== undefined })
  }
  for (const [name, section] of Object.entries(config.settlement.engines)) {
    const { listen } = section as { listen?: unknown }
    if (!isListen(listen)) continue
    listeners.push({ path: `settlement.engines.${name}.listen`, ...listen, hasTls: false })
  }
  if (config.spsp.listen !== undefined) {
    listeners.push({ path: 'spsp.listen', ...config.spsp.listen, hasTls: false })
  }
  return listeners
}

function isListen(value: unknown): value is { host: string; port: number } {
  const { host, port } = (value ?? {}) as { host?: unknown; port?: unknown }
  return typeof host === 'string' && typeof port === 'number'
}

function checkClashes(listeners: Listener[], report: CheckReport): void {
  listeners.forEach((listener, index) => {
    const other = listeners.slice(0, index).find((earlier) => clash(earlier, listener))
    if (other === undefined) return
    report.problems.push({
      path: listener.path,
      message: `port ${listener.port} is already used by ${other.path}`,
      fix: 'Give each listener a port of its own',
    })
  })
}

function clash(a: Listener, b: Listener): boolean {
  if (a.port === 0 || a.port !== b.port) return false
  return a.host === b.host || isWildcard(a.host) || isWildcard(b.host)
}

function isWildcard(host: string): boolean {
  return host === '0.0.0.0' || host === '::'
}

const PLAIN_URL = /^(?:btp\+ws|ws|http):\/\/(?:[^/@]*@)?(\[[^\]]*\]|[^/:?#]+)/i

function checkOutgoing(config: Config, report: CheckReport): void {
  if (config.node.environment === 'development') return
  config.peers.forEach((peer, index) => {
    for (const { name, text } of stringsIn(peer.link, `peers[${index}].link`)) {
      const host = PLAIN_URL.exec(text)?.[1]
      if (host === undefined || isLoopback(host)) continue
      report.warnings.push(
        `${name}: connects to ${host} without TLS: its token and packets can be read on the way`,
      )
    }
  })
}

/** Strings of a section and of its own sections; plugins do not nest URLs deeper. */
function stringsIn(section: object, path: string): { name: string; text: string }[] {
  const fields = Object.entries(section).flatMap(([key, value]: [string, unknown]) =>
    typeof value === 'object' && value !== null
      ? Object.entries(value).map(([inner, text]: [string, unknown]) => ({
          name: `${path}.${key}.${inner}`,
          text,
        }))
      : [{ name: `${path}.${key}`, text: value }],
  )
  return fields.filter((field): field is { name: string; text: string } => typeof field.text === 'string')
}

function checkSpsp(config: Config, report: CheckReport): void {
  const { listen, publicUrl } = config.spsp
  if (listen === undefined && config.accounts.length > 0) {
    report.warnings.push('accounts: have no payment pointers, since spsp.listen is not set')
  }
  if (publicUrl === undefined) return
  if (listen === undefined)
    report.warnings.push('spsp.publicUrl: has no effect, since spsp.listen is not set')
  if (config.node.environment === 'production' && !publicUrl.startsWith('https://')) {
    report.problems.push({
      path: 'spsp.publicUrl',
      message: `"${publicUrl.slice(0, 100)}" is not an https URL, but node.environment is production`,
      fix: 'Payment pointers stand for https URLs; put a TLS proxy in front and give its URL',
    })
  }
}

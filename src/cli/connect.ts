import { userInfo } from 'node:os'
import { mintToken } from '../admin/operator-token.ts'
import { SCOPES, type Scope } from '../admin/scopes.ts'
import { adminKeys } from '../config/admin-keys.ts'
import { type LoadedConfiguration, loadConfiguration } from '../config/load.ts'
import { isLoopback } from '../lib/is-loopback.ts'
import { AdminClient } from './admin-client.ts'
import { CliError } from './cli-error.ts'
import type { CliIo } from './cli-io.ts'
import { ExitCode } from './exit-code.ts'
import {
  type ConfigurationFlags,
  findConfiguration,
  nonEmpty,
  requireConfiguration,
} from './find-configuration.ts'
import type { Output } from './output.ts'

/** Life of a token that a command mints for itself, seconds. Each request gets a new one. */
const OWN_TOKEN_SECONDS = 60
/** Deadline of a request when `--timeout` is not given, seconds. */
export const REQUEST_TIMEOUT_SECONDS = 10

export interface ConnectFlags extends ConfigurationFlags {
  url?: string
  token?: string
  timeout?: number
}

/**
 * A client of the node that the flags, the environment or the configuration name. Without a token, one is minted
 * with the admin key of the configuration, which whoever runs the node can read.
 */
export function connect(flags: ConnectFlags, io: CliIo, output: Output): AdminClient {
  const namedUrl = flags.url ?? nonEmpty(io.env.CAUSEWAY_URL)
  const namedToken = flags.token ?? nonEmpty(io.env.CAUSEWAY_TOKEN)
  if (flags.token !== undefined) {
    output.warn('--token can be seen by other users of this machine; set CAUSEWAY_TOKEN instead')
  }
  const loaded =
    namedUrl !== undefined && namedToken !== undefined ? undefined : loadForClient(flags, io, namedUrl)
  const url = namedUrl === undefined ? adminUrl(loaded!) : checkUrl(namedUrl)
  warnOfPlainText(url, output)
  return new AdminClient({
    url,
    token: namedToken === undefined ? minter(loaded!, io) : async () => namedToken,
    timeoutMs: (flags.timeout ?? REQUEST_TIMEOUT_SECONDS) * 1000,
    startCommand: `${io.commandName} start`,
  })
}

function loadForClient(flags: ConnectFlags, io: CliIo, namedUrl: string | undefined): LoadedConfiguration {
  if (namedUrl !== undefined && findConfiguration(flags, io).path === undefined) {
    throw new CliError(
      ExitCode.configuration,
      'there is no token for the node: set CAUSEWAY_TOKEN (mint one on the node\'s machine with "causeway token"), or name its configuration with --config',
    )
  }
  // Secrets of peers may be in the environment of the node alone, and are of no use here.
  return loadConfiguration({ ...requireConfiguration(flags, io), isClient: true })
}

/** Where the node of a configuration answers, seen from its own machine. */
export function adminUrl(loaded: LoadedConfiguration): string {
  const { host, port } = loaded.config.admin
  if (port === 0) {
    throw new CliError(
      ExitCode.configuration,
      'admin.port is 0 (any free port): say where the node answers with --url',
    )
  }
  return reachableUrl(host, port)
}

/** How a listener is reached from its own machine. */
export function reachableUrl(host: string, port: number): string {
  const reachable = host === '0.0.0.0' ? '127.0.0.1' : host === '::' ? '::1' : host
  return `http://${reachable.includes(':') ? `[${reachable}]` : reachable}:${port}`
}

function checkUrl(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url === undefined || !/^https?:$/.test(url.protocol)) {
    throw new CliError(
      ExitCode.usage,
      '--url (or CAUSEWAY_URL) is not an http or https URL, e.g. http://127.0.0.1:8080',
    )
  }
  if (url.username !== '' || url.password !== '') {
    throw new CliError(
      ExitCode.usage,
      '--url must not hold a user name or password; give the token in CAUSEWAY_TOKEN',
    )
  }
  return url.origin
}

function warnOfPlainText(url: string, output: Output): void {
  const { protocol, hostname } = new URL(url)
  if (protocol === 'https:' || isLoopback(hostname)) return
  output.warn(`the token goes to ${hostname} unencrypted; use https, or a tunnel to the machine of the node`)
}

function minter(loaded: LoadedConfiguration, io: CliIo): () => Promise<string> {
  const keys = adminKeys(loaded)
  if (keys.length === 0) {
    throw new CliError(
      ExitCode.configuration,
      `there is no admin key yet: neither admin.keys names one nor is there an "admin-key" in ${loaded.secrets.file}. Start the node once; it makes one`,
    )
  }
  const scopes = Object.keys(SCOPES) as Scope[]
  return () =>
    mintToken({
      keys,
      subject: tokenSubject(),
      scopes,
      ttlSeconds: OWN_TOKEN_SECONDS,
      clock: { now: () => io.now() },
    })
}

/** Who runs the command, in the characters that a token takes. */
export function tokenSubject(): string {
  return `cli:${userName()}`.replace(/[^\x21-\x7e]/g, '_').slice(0, 64)
}

function userName(): string {
  try {
    return userInfo().username
  } catch {
    // A user id without an entry in the user database, as containers have.
    return 'unknown'
  }
}

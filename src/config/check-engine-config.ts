import { isLoopback } from '../lib/is-loopback.ts'
import type { CheckReport } from './check-report.ts'
import { checkSection } from './check-secrets.ts'
import { formatPath } from './config-path.ts'
import type { EngineConfig } from './engine-config.ts'
import type { SecretStore } from './secret-store.ts'

type Listen = EngineConfig['engine']['listen']

/** Checks what the schema cannot see, for running the engine of that name. */
export function checkEngineConfig(name: string, config: EngineConfig, secrets: SecretStore): CheckReport {
  const report: CheckReport = { problems: [], warnings: [] }
  checkName(name, config, report)
  const { accounts, accountDefaults, admin, connector, listen } = config.engine
  checkListen('engine.listen', listen, config, report)
  if (admin !== undefined) {
    checkListen('engine.admin', admin, config, report)
    if (admin.port !== 0 && admin.port === listen.port) {
      report.problems.push({
        path: 'engine.admin.port',
        message: `port ${admin.port} is already used by engine.listen`,
        fix: 'Give each listener a port of its own',
      })
    }
    if (isSameSecret(admin.token, listen.token, secrets)) {
      report.problems.push({
        path: 'engine.admin.token',
        message: 'is the token of the connector, which could then give itself money that is in suspense',
        fix: 'Give operators a token of their own: causeway token key',
      })
    }
  }
  for (const [id, { asset }] of Object.entries(accounts)) {
    if (asset !== undefined || accountDefaults?.asset !== undefined) continue
    report.problems.push({
      path: `engine.accounts.${id}.asset`,
      message: 'is missing, and engine.accountDefaults has none',
      fix: 'Give {code, scale} in one of the two',
    })
  }
  if (accountDefaults !== undefined && accountDefaults.asset === undefined) {
    report.warnings.push('engine.accountDefaults: has no asset, so only listed accounts can be set up')
  }
  if (accountDefaults === undefined && Object.keys(accounts).length === 0) {
    report.warnings.push(
      'engine.accounts: is empty and engine.accountDefaults is not set, so the connector can set up no account',
    )
  }
  checkConnector(connector, report)
  checkSection(config.engine, ['engine'], 'engine', secrets, report)
  checkSection(config.engines[name], ['engines', name], name, secrets, report)
  return report
}

function isSameSecret(one: string | undefined, other: string | undefined, secrets: SecretStore): boolean {
  if (one === undefined || other === undefined) return false
  try {
    return secrets.resolve(one) === secrets.resolve(other)
  } catch {
    // One that is not there is told of elsewhere.
    return false
  }
}

function checkName(name: string, { engines }: EngineConfig, report: CheckReport): void {
  const section = Object.hasOwn(engines, name) ? engines[name] : undefined
  if (section === undefined) {
    const names = Object.keys(engines)
    report.problems.push({
      path: formatPath(['engines']),
      message: `there is no engine ${JSON.stringify(name)}`,
      fix:
        names.length === 0 ? 'Add its section' : `Name one of ${names.join(', ')}, or add a section for it`,
    })
    return
  }
  if (section.type !== 'rfc38') return
  report.problems.push({
    path: `engines.${name}.type`,
    message: 'an engine that is reached over RFC 38 already needs nobody to serve it',
    fix: 'Let the connector call it at its own URL',
  })
}

function checkListen(path: string, listen: Listen, config: EngineConfig, report: CheckReport): void {
  const { host, token } = listen
  const isLocal = isLoopback(host)
  if (!isLocal) {
    report.warnings.push(
      `${path}: listens on ${host} without TLS; put a TLS proxy in front of it, or bind to 127.0.0.1`,
    )
  }
  if (token !== undefined) return
  if (isLocal && config.node.environment === 'development') {
    report.warnings.push(
      `${path}: ANYBODY ON THIS MACHINE CAN MOVE MONEY, since ${path}.token is not set; this is for development alone`,
    )
    return
  }
  report.problems.push({
    path: `${path}.token`,
    message: 'is missing: whoever reaches the port could move money',
    fix: `Make one with "causeway token key", put it into the secrets file and write "secret:<name>" here`,
  })
}

function checkConnector({ url, token }: EngineConfig['engine']['connector'], report: CheckReport): void {
  const { protocol, hostname } = new URL(url)
  if (protocol !== 'http:' && protocol !== 'https:') {
    report.problems.push({
      path: 'engine.connector.url',
      message: `given ${JSON.stringify(protocol)}, but expected an http or https URL`,
      fix: 'Write e.g. "http://127.0.0.1:7771"',
    })
  } else if (protocol === 'http:' && !isLoopback(hostname)) {
    const what = token === undefined ? 'what it tells' : 'its token and what it tells'
    report.warnings.push(
      `engine.connector.url: connects to ${hostname} without TLS: ${what} can be changed on the way`,
    )
  }
}

import type { CheckReport } from './check-report.ts'
import { type ConfigPath, formatPath } from './config-path.ts'
import { findClearSecrets } from './find-clear-secrets.ts'
import type { Config } from './schema.ts'
import { SecretError } from './secret-error.ts'
import { isSecretReference } from './secret-field.ts'
import type { SecretStore } from './secret-store.ts'

/** Shortest key that may sign operator tokens, bytes: HS256 wants as many as its hash has (RFC 7518, 3.2). */
const ADMIN_KEY_BYTES_MIN = 32

/** Checks that no secret stands in the clear and that every reference leads to one. Never quotes a secret. */
export function checkSecrets(config: Config, secrets: SecretStore, report: CheckReport): void {
  config.peers.forEach((peer, index) => {
    checkSection(peer.link, ['peers', index, 'link'], peer.id, secrets, report)
  })
  for (const [name, section] of Object.entries(config.plugins)) {
    checkSection(section, ['plugins', name], name, secrets, report)
  }
  for (const [name, section] of Object.entries(config.settlement.engines)) {
    checkSection(section, ['settlement', 'engines', name], name, secrets, report)
  }
  config.admin.keys.forEach((reference, index) => {
    const path = ['admin', 'keys', index]
    const key = resolveReference(reference, path, secrets, report)
    if (key === undefined || Buffer.byteLength(key) >= ADMIN_KEY_BYTES_MIN) return
    report.problems.push({
      path: formatPath(path),
      message: `the key is shorter than ${ADMIN_KEY_BYTES_MIN} bytes and could be guessed`,
      fix: 'Generate one: causeway token key',
    })
  })
}

/** The same for one section, which belongs to `owner`. */
export function checkSection(
  section: unknown,
  path: ConfigPath,
  owner: string,
  secrets: SecretStore,
  report: CheckReport,
): void {
  report.problems.push(...findClearSecrets(section, path, owner))
  for (const reference of referencesIn(section, path)) {
    resolveReference(reference.text, reference.path, secrets, report)
  }
}

function referencesIn(value: unknown, path: ConfigPath): { text: string; path: ConfigPath }[] {
  if (typeof value === 'string') return isSecretReference(value) ? [{ text: value, path }] : []
  if (Array.isArray(value)) return value.flatMap((entry, index) => referencesIn(entry, [...path, index]))
  if (typeof value !== 'object' || value === null) return []
  return Object.entries(value).flatMap(([key, entry]) => referencesIn(entry, [...path, key]))
}

function resolveReference(
  reference: string,
  path: ConfigPath,
  secrets: SecretStore,
  report: CheckReport,
): string | undefined {
  try {
    return secrets.resolve(reference)
  } catch (error) {
    if (!(error instanceof SecretError)) throw error
    report.problems.push({ path: formatPath(path), message: error.message })
    return undefined
  }
}

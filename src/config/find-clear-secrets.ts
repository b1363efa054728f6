import type { ConfigProblem } from './config-error.ts'
import { type ConfigPath, formatPath } from './config-path.ts'
import { hasCredentials, isSecretName, isSecretReference } from './secret-field.ts'

/** A key that need not be secret, in PEM. */
const PUBLIC_KEY = '-----BEGIN PUBLIC KEY-----'

/** Depth of plugin options that is looked at; deeper ones are refused. */
const DEPTH_MAX = 32

/**
 * Finds secrets written in the clear under `value`, which lies at `path`. The answer never quotes them. `owner`, the
 * peer or plugin that the value belongs to, goes into the name that is suggested for the secret.
 */
export function findClearSecrets(value: unknown, path: ConfigPath, owner: string): ConfigProblem[] {
  if (path.length > DEPTH_MAX) {
    return [{ path: formatPath(path), message: `options go deeper than ${DEPTH_MAX} levels` }]
  }
  if (typeof value === 'string') return checkString(value, path, owner)
  if (Array.isArray(value))
    return value.flatMap((entry, index) => findClearSecrets(entry, [...path, index], owner))
  if (typeof value === 'object' && value !== null) {
    return Object.entries(value).flatMap(([key, entry]) => findClearSecrets(entry, [...path, key], owner))
  }
  const isSecret = typeof value === 'number' && isSecretName(lastName(path))
  return isSecret ? [clearSecret(path, owner)] : []
}

function checkString(value: string, path: ConfigPath, owner: string): ConfigProblem[] {
  if (isSecretReference(value) || isAssetToken(path) || value.startsWith(PUBLIC_KEY)) return []
  if (isSecretName(lastName(path))) return [clearSecret(path, owner)]
  if (hasCredentials(value)) {
    const name = suggestName(path, owner)
    return [
      {
        path: formatPath(path),
        message: 'a URL with credentials is written in the clear',
        fix: `Put the whole URL into the secrets file as "${name}" and write "secret:${name}" here, or give the token in a field of its own`,
      },
    ]
  }
  return []
}

/** The money that an engine moves, not what opens a door; the engine checks it. */
function isAssetToken(path: ConfigPath): boolean {
  return path.includes('engines') && path.at(-3) === 'assets' && path.at(-1) === 'token'
}

function clearSecret(path: ConfigPath, owner: string): ConfigProblem {
  const name = suggestName(path, owner)
  return {
    path: formatPath(path),
    message: 'a secret is written in the clear',
    fix: `Move it to the secrets file under the name "${name}" and write "secret:${name}" here ("env:<NAME>" and "file:<path>" work too)`,
  }
}

/** The nearest key that is a name; entries of an array count as their array. */
function lastName(path: ConfigPath): string {
  const name = path.findLast((segment) => typeof segment === 'string')
  return typeof name === 'string' ? name : ''
}

function suggestName(path: ConfigPath, owner: string): string {
  return `${owner}-${lastName(path)}`.replace(/[^A-Za-z0-9_.-]/g, '-').slice(0, 64)
}

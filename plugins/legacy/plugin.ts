import { createRequire } from 'node:module'
import { join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { z } from 'zod'
import {
  type Link,
  LinkConfigError,
  type LinkContext,
  type Plugin,
  type PluginDeps,
} from '../../src/peers/link.ts'
import { LegacyLink } from './legacy-link.ts'
import { legacyOptionsSchema } from './legacy-options.ts'

/** The `legacy` section under `plugins`: nothing to set, the plugins have their own options per peer. */
const pluginOptionsSchema = z.strictObject({})

/**
 * Peers over any npm package with the interledgerjs plugin interface (`ilp-plugin-*`), one thread per peer.
 * @throws LinkConfigError
 */
export function createPlugin(options: Record<string, unknown>, deps: PluginDeps): Plugin {
  check(pluginOptionsSchema, options)
  const baseDirectory = resolve(deps.baseDirectory ?? '.')
  const links = new Set<LegacyLink>()
  return {
    start: async () => undefined,
    stop: async () => {
      await Promise.all([...links].map((link) => link.stop()))
    },
    openLink: (context) => openLink(context, deps, baseDirectory, links),
    listening: () => [],
  }
}

function openLink(
  context: LinkContext,
  deps: PluginDeps,
  baseDirectory: string,
  running: Set<LegacyLink>,
): Link {
  const options = check(legacyOptionsSchema, context.options)
  return new LegacyLink(options, {
    clock: deps.clock,
    logger: deps.logger.child({ account: context.accountId, module: options.module }),
    random: deps.random,
    receiver: context.receiver,
    moduleUrl: locate(options.module, baseDirectory),
    storeFile: options.storeFile === undefined ? undefined : resolve(baseDirectory, options.storeFile),
    accountId: context.accountId,
    running,
  })
}

/** Looks from the configuration's directory first, then among the packages installed with the connector. */
function locate(module: string, baseDirectory: string): string {
  for (const from of [join(baseDirectory, 'configuration.js'), import.meta.url]) {
    try {
      return pathToFileURL(createRequire(from).resolve(module)).href
    } catch {
      // The next place may have it.
    }
  }
  throw new LinkConfigError(
    'module',
    `"${module}" was not found from ${baseDirectory}: install it there with npm, or check the path`,
  )
}

function check<T>(schema: z.ZodType<T>, value: unknown): T {
  const result = schema.safeParse(value)
  if (result.success) return result.data
  const issue = result.error.issues[0]!
  if (issue.code !== 'unrecognized_keys') throw new LinkConfigError(issue.path.join('.'), issue.message)
  throw new LinkConfigError([...issue.path, issue.keys[0]].join('.'), 'is not an option here: check its name')
}

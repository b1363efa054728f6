import {
  type Link,
  LinkConfigError,
  type LinkContext,
  type Plugin,
  type PluginDeps,
} from '../../src/peers/link.ts'
import { LocalEndpoint } from './local-endpoint.ts'

/**
 * Links inside the process, for embedding and for the node's own receivers. A link's one option is `endpoint`, a
 * {@link LocalEndpoint}; being an object, it comes from code, never from a configuration file.
 */
export function createPlugin(options: Record<string, unknown>, deps: PluginDeps): Plugin {
  for (const key of Object.keys(options)) {
    throw new LinkConfigError(key, `the plugin "local" has no option "${key}"; remove it`)
  }
  const links = new Set<Link>()
  return {
    async start() {},
    async stop() {
      await Promise.all([...links].map((link) => link.stop()))
    },
    openLink(context) {
      const link: Link = endpointOf(context).attach(context, {
        clock: deps.clock,
        stopped: () => links.delete(link),
      })
      links.add(link)
      return link
    },
    listening: () => [],
  }
}

function endpointOf(context: LinkContext): LocalEndpoint {
  for (const key of Object.keys(context.options)) {
    if (key !== 'plugin' && key !== 'endpoint') {
      throw new LinkConfigError(key, `a local link has no option "${key}"; remove it`)
    }
  }
  const { endpoint } = context.options
  if (!(endpoint instanceof LocalEndpoint)) {
    throw new LinkConfigError(
      'endpoint',
      'a local link needs a LocalEndpoint object, given by the program that embeds the node; ' +
        'for a peer of its own process choose another plugin, e.g. btp',
    )
  }
  return endpoint
}

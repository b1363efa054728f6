import type { ConfigProblem } from '../config/config-error.ts'
import type { LoadedConfiguration } from '../config/load.ts'
import { systemClock } from '../lib/clock.ts'
import { silentLogger } from '../lib/logger.ts'
import { LinkConfigError, type LinkReceiver, type Plugin } from '../peers/link.ts'
import { loadPlugin, PluginLoadError } from '../peers/load-plugin.ts'

/** Has the plugins check their options and those of each peer's link. Nothing is started, connected or listened on. */
export async function checkPlugins(loaded: LoadedConfiguration): Promise<ConfigProblem[]> {
  const { config } = loaded
  const problems: ConfigProblem[] = []
  const plugins = new Map<string, Plugin | undefined>()
  const sections = Object.entries(config.plugins).filter(([, section]) => Object.keys(section).length > 0)
  for (const name of new Set([
    ...sections.map(([name]) => name),
    ...config.peers.map(({ link }) => link.plugin),
  ])) {
    plugins.set(name, await load(name, loaded, problems))
  }
  config.peers.forEach((peer, index) => {
    const plugin = plugins.get(peer.link.plugin)
    if (plugin === undefined) return
    const { plugin: _, ...options } = peer.link
    try {
      plugin.openLink({
        accountId: peer.id,
        relation: peer.relation,
        assetCode: peer.asset.code,
        assetScale: peer.asset.scale,
        options: loaded.secrets.resolveAll(options),
        receiver: DEAF_RECEIVER,
      })
    } catch (error) {
      problems.push(describe(error, `peers[${index}].link`))
    }
  })
  for (const plugin of plugins.values()) await plugin?.stop()
  return problems
}

async function load(
  name: string,
  loaded: LoadedConfiguration,
  problems: ConfigProblem[],
): Promise<Plugin | undefined> {
  const section = loaded.secrets.resolveAll(loaded.config.plugins[name] ?? {})
  const deps = { clock: systemClock, logger: silentLogger, random: Math.random }
  try {
    return await loadPlugin(name, section, deps, loaded.baseDirectory)
  } catch (error) {
    problems.push(describe(error, `plugins.${name}`))
    return undefined
  }
}

function describe(error: unknown, path: string): ConfigProblem {
  if (error instanceof LinkConfigError) {
    return { path: error.path === '' ? path : `${path}.${error.path}`, message: error.message }
  }
  if (error instanceof PluginLoadError) return { path, message: error.message }
  return { path, message: `the plugin failed: ${error instanceof Error ? error.message : String(error)}` }
}

const DEAF_RECEIVER: LinkReceiver = {
  prepare: () => undefined,
  reply: () => undefined,
  failed: () => undefined,
  connected: () => undefined,
  disconnected: () => undefined,
  protocolError: () => undefined,
}

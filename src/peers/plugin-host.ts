import type { Link, LinkContext, Plugin, PluginDeps } from './link.ts'
import { loadPlugin } from './load-plugin.ts'

export interface PluginHostOptions {
  /** Sections under `plugins` of the configuration, secrets resolved. */
  sections: Record<string, Record<string, unknown>>
  /** Where relative plugin paths start. */
  baseDirectory: string
}

/**
 * Loads each plugin once, when the first peer or listener needs it, and keeps it until the node stops. Nothing listens
 * before `start`: a peer that dials in earlier would be told for good that its token is unknown.
 */
export class PluginHost {
  readonly #options: PluginHostOptions
  readonly #deps: PluginDeps
  readonly #plugins = new Map<string, Promise<Plugin>>()
  readonly #started = new Set<Plugin>()
  #running = false

  constructor(options: PluginHostOptions, deps: PluginDeps) {
    this.#options = options
    this.#deps = deps
  }

  /** Starts the plugins that peers use and those that are to listen for peers to come; later ones start by themselves. */
  async start(): Promise<void> {
    for (const [name, section] of Object.entries(this.#options.sections)) {
      if (section.listen !== undefined) await this.#plugin(name)
    }
    this.#running = true
    for (const plugin of this.#plugins.values()) await this.#start(await plugin)
  }

  async stop(): Promise<void> {
    await Promise.all([...this.#started].map((plugin) => plugin.stop()))
  }

  async openLink(name: string, context: LinkContext): Promise<Link> {
    return (await this.#plugin(name)).openLink(context)
  }

  listening(): string[] {
    return [...this.#started].flatMap((plugin) => plugin.listening())
  }

  #plugin(name: string): Promise<Plugin> {
    const known = this.#plugins.get(name)
    if (known !== undefined) return known
    const loading = this.#load(name)
    this.#plugins.set(name, loading)
    // A plugin that failed to load may be mended: the next peer that names it tries again.
    loading.catch(() => this.#plugins.delete(name))
    return loading
  }

  async #load(name: string): Promise<Plugin> {
    const section = this.#options.sections[name] ?? {}
    const deps = { ...this.#deps, logger: this.#deps.logger.child({ plugin: name }) }
    const plugin = await loadPlugin(name, section, deps, this.#options.baseDirectory)
    if (this.#running) await this.#start(plugin)
    return plugin
  }

  async #start(plugin: Plugin): Promise<void> {
    if (this.#started.has(plugin)) return
    this.#started.add(plugin)
    try {
      await plugin.start()
    } catch (error) {
      this.#started.delete(plugin)
      throw error
    }
  }
}

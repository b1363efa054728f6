import { readFileSync } from 'node:fs'
import { createRequire, findPackageJSON } from 'node:module'
import { dirname, extname, join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { LinkConfigError, type Plugin, type PluginDeps, type PluginModule } from './link.ts'

/** Plugins that come with the connector; each is `plugins/<name>/plugin`. */
const BUILT_IN = new Set(['btp', 'ilp-http', 'legacy', 'local'])
/** Deadline of importing a module: top-level awaits of foreign code may hang. Milliseconds. */
const IMPORT_TIMEOUT_MS = 10_000
const PLUGIN_METHODS = ['start', 'stop', 'openLink', 'listening'] as const
/** Conditions of package `exports` that fit an import by Node. */
const CONDITIONS = new Set(['node', 'import', 'module-sync', 'default'])

/** A plugin that cannot be used. The message says why and what to do. */
export class PluginLoadError extends Error {
  override readonly name = 'PluginLoadError'
}

/**
 * Loads a peer plugin and makes it with its options.
 * @param name a built-in name, a path that starts with `.` or `/`, or an npm package name
 * @param options the plugin's section of the configuration
 * @param baseDirectory directory of the configuration file: paths and packages are looked for from there
 * @throws PluginLoadError when there is no such plugin or it is none
 * @throws LinkConfigError when the plugin refuses its options
 */
export async function loadPlugin(
  name: string,
  options: Record<string, unknown>,
  deps: PluginDeps,
  baseDirectory: string,
): Promise<Plugin> {
  const url = locate(name, resolve(baseDirectory))
  const module = await importInTime(name, url)
  const createPlugin = findCreatePlugin(name, module)
  let plugin: unknown
  try {
    plugin = createPlugin(options, { ...deps, baseDirectory: resolve(baseDirectory) })
  } catch (error) {
    if (isConfigError(error)) throw new LinkConfigError(error.path, error.message)
    throw new PluginLoadError(
      `plugin "${name}" failed in createPlugin: ${messageOf(error)}. Its options may be wrong: see its documentation.`,
      { cause: error },
    )
  }
  return checkPlugin(name, plugin)
}

function locate(name: string, baseDirectory: string): string {
  if (BUILT_IN.has(name)) {
    // Sources are .ts, the compiled tree next to each other .js.
    return new URL(`../../plugins/${name}/plugin${extname(import.meta.url)}`, import.meta.url).href
  }
  const require = createRequire(join(baseDirectory, 'configuration.js'))
  try {
    return pathToFileURL(require.resolve(name)).href
  } catch (error) {
    const path =
      name.startsWith('.') || name.startsWith('/') ? undefined : importOnlyEntry(name, baseDirectory)
    if (path !== undefined) return pathToFileURL(path).href
    const hint =
      name.startsWith('.') || name.startsWith('/')
        ? `Check the path; relative ones start at ${baseDirectory}.`
        : `Install it there with "npm install ${name}", or use a built-in one: ${[...BUILT_IN].join(', ')}.`
    throw new PluginLoadError(`plugin "${name}" was not found from ${baseDirectory}. ${hint}`, {
      cause: error,
    })
  }
}

/** The main file of a package that can be imported, but not required. */
function importOnlyEntry(name: string, baseDirectory: string): string | undefined {
  try {
    const manifest = findPackageJSON(name, pathToFileURL(join(baseDirectory, 'configuration.js')))
    if (manifest === undefined) return undefined
    const { exports } = JSON.parse(readFileSync(manifest, 'utf8')) as { exports?: unknown }
    const entry = importTarget(exports)
    return entry === undefined ? undefined : join(dirname(manifest), entry)
  } catch {
    return undefined
  }
}

function importTarget(target: unknown): string | undefined {
  if (typeof target === 'string') return target
  if (typeof target !== 'object' || target === null) return undefined
  for (const [key, value] of Object.entries(target)) {
    if (key !== '.' && !CONDITIONS.has(key)) continue
    const found = importTarget(value)
    if (found !== undefined) return found
  }
  return undefined
}

async function importInTime(name: string, url: string): Promise<Record<string, unknown>> {
  let timer: NodeJS.Timeout | undefined
  const timeout = new Promise<never>((_, reject) => {
    timer = setTimeout(
      () =>
        reject(
          new PluginLoadError(
            `plugin "${name}" did not finish loading within ${IMPORT_TIMEOUT_MS / 1_000} seconds: it waits for something while its module is imported. Its module must only define createPlugin; waiting belongs to start().`,
          ),
        ),
      IMPORT_TIMEOUT_MS,
    )
  })
  try {
    return (await Promise.race([import(url), timeout])) as Record<string, unknown>
  } catch (error) {
    if (error instanceof PluginLoadError) throw error
    throw new PluginLoadError(
      `plugin "${name}" could not be loaded: ${messageOf(error)}. Reinstall it, or check that it supports Node ${process.versions.node}.`,
      { cause: error },
    )
  } finally {
    clearTimeout(timer)
  }
}

function findCreatePlugin(name: string, module: Record<string, unknown>): PluginModule['createPlugin'] {
  const inner = module.default as Record<string, unknown> | undefined
  const found = module.createPlugin ?? inner?.createPlugin
  if (typeof found === 'function') return found as PluginModule['createPlugin']
  if (isLegacyPlugin(inner) || isLegacyPlugin(inner?.default))
    throw new PluginLoadError(
      `plugin "${name}" has the interledgerjs plugin interface. Load it through the adapter: plugin: legacy, module: ${name}.`,
    )
  throw new PluginLoadError(
    `plugin "${name}" exports no function createPlugin (it exports: ${Object.keys(module).slice(0, 10).join(', ') || 'nothing'}). See the plugin author guide.`,
  )
}

function isLegacyPlugin(value: unknown): boolean {
  return typeof value === 'function' && typeof value.prototype?.sendData === 'function'
}

function checkPlugin(name: string, plugin: unknown): Plugin {
  const missing = PLUGIN_METHODS.filter(
    (method) => typeof (plugin as Partial<Plugin> | undefined | null)?.[method] !== 'function',
  )
  if (missing.length > 0)
    throw new PluginLoadError(
      `plugin "${name}" made something that lacks ${missing.map((method) => `${method}()`).join(', ')}. createPlugin must return the plugin itself, not a promise of it; see the plugin author guide.`,
    )
  return plugin as Plugin
}

/** Foreign plugins may carry their own copy of the class. */
function isConfigError(error: unknown): error is LinkConfigError {
  return (
    error instanceof LinkConfigError ||
    (error instanceof Error &&
      error.name === 'LinkConfigError' &&
      typeof (error as Partial<LinkConfigError>).path === 'string')
  )
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message.split('\n', 1)[0]! : String(error)
}

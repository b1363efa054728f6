/** The interledgerjs plugin interface, version 2, as far as it is used. */
export interface InterledgerjsPlugin {
  connect(options?: object): Promise<void>
  disconnect(): Promise<void>
  isConnected(): boolean
  sendData(data: Buffer): Promise<Buffer>
  sendMoney?(amount: string): Promise<void>
  registerDataHandler(handler: (data: Buffer) => Promise<Buffer>): void
  deregisterDataHandler(): void
  registerMoneyHandler?(handler: (amount: string) => Promise<void>): void
  deregisterMoneyHandler?(): void
  on?(event: string, listener: (...args: unknown[]) => void): unknown
}

export type InterledgerjsConstructor = new (
  options: Record<string, unknown>,
  api: Record<string, unknown>,
) => InterledgerjsPlugin

const METHODS = [
  'connect',
  'disconnect',
  'isConnected',
  'sendData',
  'registerDataHandler',
  'deregisterDataHandler',
] as const

/**
 * The class in an imported module: CommonJS `module.exports`, `exports.default`, or an ES default export.
 * @throws Error when there is none, or it has another version
 */
export function findPluginClass(module: Record<string, unknown>): InterledgerjsConstructor {
  const outer = module.default as Record<string, unknown> | undefined
  for (const candidate of [outer, outer?.default, module['module.exports']]) {
    if (typeof candidate !== 'function') continue
    const { version } = candidate as unknown as { version?: unknown }
    if (version !== 2)
      throw new Error(
        `the plugin states interface version ${String(version ?? 'none')}; only version 2 can be used`,
      )
    return candidate as unknown as InterledgerjsConstructor
  }
  throw new Error('the module exports no plugin class: is it an ilp-plugin-* package?')
}

/** @throws Error naming what an instance lacks */
export function checkInstance(instance: unknown): InterledgerjsPlugin {
  const missing = METHODS.filter(
    (name) => typeof (instance as Partial<InterledgerjsPlugin> | undefined)?.[name] !== 'function',
  )
  if (missing.length > 0) throw new Error(`the plugin lacks ${missing.join(', ')}`)
  return instance as InterledgerjsPlugin
}

/** Keys and array indexes from the root of the configuration to a value. */
export type ConfigPath = readonly (string | number)[]

/** `['peers', 0, 'link', 'ilp-http']` as `peers[0].link.ilp-http`. */
export function formatPath(path: ConfigPath): string {
  let text = ''
  for (const segment of path) {
    if (typeof segment === 'number') text += `[${segment}]`
    else text += text === '' ? segment : `.${segment}`
  }
  return text
}

/** The inverse of {@link formatPath}, for keys without dots and brackets. */
export function parsePath(text: string): ConfigPath {
  return [...text.matchAll(/([^.[\]]+)|\[(\d+)\]/g)].map((match) => match[1] ?? Number(match[2]))
}

/** The value at a path, or undefined. */
export function valueAt(root: unknown, path: ConfigPath): unknown {
  let value = root
  for (const segment of path) {
    if (!isContainer(value) || !Object.hasOwn(value, segment)) return undefined
    value = (value as Record<string | number, unknown>)[segment]
  }
  return value
}

/** Sets the value at a path, making objects on the way. The last container must take the key. */
export function setAt(root: Record<string, unknown>, path: ConfigPath, value: unknown): void {
  let container: Record<string | number, unknown> = root
  for (const segment of path.slice(0, -1)) {
    const next = Object.hasOwn(container, segment) ? container[segment] : undefined
    if (isContainer(next)) {
      container = next as Record<string | number, unknown>
    } else {
      const made: Record<string, unknown> = {}
      define(container, segment, made)
      container = made
    }
  }
  define(container, path.at(-1)!, value)
}

/** A key such as `__proto__` becomes an own property, which the schema then refuses. */
function define(container: Record<string | number, unknown>, key: string | number, value: unknown): void {
  Object.defineProperty(container, key, { value, writable: true, enumerable: true, configurable: true })
}

function isContainer(value: unknown): value is object {
  return typeof value === 'object' && value !== null
}

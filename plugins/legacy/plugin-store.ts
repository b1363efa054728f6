import { mkdirSync, readFileSync } from 'node:fs'
import { open, rename } from 'node:fs/promises'
import { dirname } from 'node:path'

/** A plugin keeps channels and claims here: thousands of entries at most. */
const ENTRIES_MAX = 10_000
const ENTRY_LENGTH_MAX = 65_536

/** What interledgerjs plugins get as `_store`. */
export interface PluginStore {
  get(key: string): Promise<string | undefined>
  put(key: string, value: string): Promise<void>
  del(key: string): Promise<void>
}

/**
 * Keeps the data of one plugin in a JSON file. A `put` resolves when the data is on the disk: plugins keep payment
 * claims there, which are money.
 * @throws Error when the file exists and is not readable
 */
export function openPluginStore(file: string | undefined): PluginStore {
  if (file === undefined) return noStore
  mkdirSync(dirname(file), { recursive: true })
  const entries = readEntries(file)
  let writing: Promise<void> = Promise.resolve()
  const save = (): Promise<void> => {
    writing = writing.catch(() => undefined).then(() => writeEntries(file, entries))
    return writing
  }
  return {
    get: async (key) => entries.get(key),
    put: async (key, value) => {
      if (typeof key !== 'string' || typeof value !== 'string')
        throw new TypeError('keys and values are strings')
      if (key.length + value.length > ENTRY_LENGTH_MAX)
        throw new RangeError(`an entry may have ${ENTRY_LENGTH_MAX} characters`)
      if (!entries.has(key) && entries.size >= ENTRIES_MAX)
        throw new RangeError(`the store holds ${ENTRIES_MAX} entries at most`)
      entries.set(key, value)
      await save()
    },
    del: async (key) => {
      if (entries.delete(key)) await save()
    },
  }
}

const noStore: PluginStore = {
  get: async () => undefined,
  put: async () => {
    throw new Error('this plugin keeps data: set storeFile in its link section, so that nothing is lost')
  },
  del: async () => undefined,
}

function readEntries(file: string): Map<string, string> {
  let text: string
  try {
    text = readFileSync(file, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return new Map()
    throw error
  }
  return new Map(Object.entries(JSON.parse(text) as Record<string, string>))
}

async function writeEntries(file: string, entries: Map<string, string>): Promise<void> {
  const temporary = `${file}.new`
  const handle = await open(temporary, 'w', 0o600)
  try {
    await handle.writeFile(JSON.stringify(Object.fromEntries(entries)))
    await handle.sync()
  } finally {
    await handle.close()
  }
  await rename(temporary, file)
  const directory = await open(dirname(file), 'r')
  try {
    await directory.sync()
  } finally {
    await directory.close()
  }
}

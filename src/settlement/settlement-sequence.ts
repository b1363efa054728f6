import type { DatabaseSync } from 'node:sqlite'

/** The next number in the order of all settlements, in and out; inside the caller's transaction. From 1. */
export function nextSequence(database: DatabaseSync): number {
  database.exec('UPDATE settlement_sequence SET value = value + 1')
  return database.prepare('SELECT value FROM settlement_sequence').get()?.value as number
}

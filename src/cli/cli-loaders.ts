import type { CliLoaders } from './cli-io.ts'

/** Loads from this package. */
export const cliLoaders: CliLoaders = {
  loadRunNode: async () => (await import('../main.ts')).runNode,
  loadRunDemo: async () => (await import('./demo.ts')).runDemo,
}

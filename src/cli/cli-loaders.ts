import type { CliLoaders } from './cli-io.ts'

/** Loads from this package. */
export const cliLoaders: CliLoaders = {
  loadRunNode: async () => (await import('../main.ts')).runNode,
  loadRunEngine: async () => (await import('../engine-main.ts')).runEngine,
  loadRunDemo: async () => (await import('./demo.ts')).runDemo,
  loadRunSettleDemo: async () => (await import('./settle-demo/settle-demo.ts')).runSettleDemo,
  loadEvmTools: async () => (await import('./evm/evm-tools.ts')).evmTools,
}

import type { SettlementEngine } from './engine.ts'

/** Why a running engine moves no money, or undefined. One that cannot even tell is in trouble. */
export function engineTrouble(engine: Pick<SettlementEngine, 'trouble'>): string | undefined {
  try {
    return engine.trouble?.()
  } catch (error) {
    return `it cannot tell how it is: ${error instanceof Error ? error.message : String(error)}`
  }
}

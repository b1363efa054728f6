import type { EvmEngineOptions } from '../../../settlement-engines/evm/engine/evm-options.ts'
import type { Anvil } from '../../support/anvil.ts'
import { waitFor } from '../../support/wait-for.ts'
import { Side } from '../../unit/evm-engine/engine-pair.ts'

const PATIENCE_MS = 40_000

/** A side whose nodes may change between its starts. */
export class FaultySide extends Side {
  /** Its nodes from the next start on. */
  rpcUrls: string[] | undefined

  override get options(): EvmEngineOptions {
    return this.rpcUrls === undefined ? super.options : { ...super.options, rpcUrls: this.rpcUrls }
  }

  isSettled(...ids: string[]): boolean {
    return ids.every((id) => this.ends.get(id) === 'settled')
  }
}

/** Lets the chain and some sides go on until something holds. */
export async function until<T>(
  anvil: Anvil,
  sides: readonly Side[],
  what: string,
  check: () => T | undefined | false | Promise<T | undefined | false>,
): Promise<T> {
  const goOn = async () => {
    await anvil.mine()
    for (const { engine } of sides) await engine.tick()
    return await check()
  }
  return await waitFor(what, goOn, PATIENCE_MS)
}

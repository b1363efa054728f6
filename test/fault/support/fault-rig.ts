import { afterAll, afterEach, beforeAll, beforeEach } from 'vitest'
import type { EvmEngineOptions } from '../../../settlement-engines/evm/engine/evm-options.ts'
import type { Anvil } from '../../support/anvil.ts'
import { JsonRpcProxy } from '../../support/json-rpc-proxy.ts'
import { EngineChain } from '../../unit/evm-engine/engine-pair.ts'
import { FaultySide } from './faulty-side.ts'

/** Blocks after which all that came before is final. */
const FINAL_BLOCKS = 4

/** The chain of one test file, and for each test a proxy before its node and some sides. */
export class FaultRig {
  #chain: EngineChain | undefined
  #proxy: JsonRpcProxy | undefined
  #sides: FaultySide[] = []

  /** Registers the hooks of the file that calls it. */
  static use(): FaultRig {
    const rig = new FaultRig()
    beforeAll(async () => {
      rig.#chain = await EngineChain.start()
    })
    afterAll(async () => {
      await rig.#chain?.anvil.stop()
    })
    beforeEach(async () => {
      rig.#proxy = await JsonRpcProxy.start(rig.anvil.url)
      await rig.anvil.setAutomine(true)
      await rig.anvil.mine(FINAL_BLOCKS)
    })
    afterEach(async () => {
      await rig.anvil.setAutomine(true)
      for (const side of rig.#sides.splice(0)) await side.stop()
      await rig.proxy.stop()
    })
    return rig
  }

  get chain(): EngineChain {
    return here(this.#chain)
  }

  get anvil(): Anvil {
    return this.chain.anvil
  }

  get proxy(): JsonRpcProxy {
    return here(this.#proxy)
  }

  /** Past the proxy unless `rpcUrls` is given; not started yet, and stopped after the test. */
  side(index: number, change: Partial<EvmEngineOptions> = {}): FaultySide {
    const side = new FaultySide(this.chain, index, change)
    this.#sides.push(side)
    return side
  }

  /** Two sides that are peers of each other, payer and payee, started. */
  async peers(
    change: { payer?: Partial<EvmEngineOptions>; payee?: Partial<EvmEngineOptions> } = {},
  ): Promise<[FaultySide, FaultySide]> {
    const [payer, payee] = [this.side(0, change.payer), this.side(1, change.payee)]
    payer.other = payee
    payee.other = payer
    await payer.open()
    await payee.open()
    return [payer, payee]
  }
}

function here<T>(part: T | undefined): T {
  if (part === undefined) throw new Error('the rig stands between the hooks of its tests')
  return part
}

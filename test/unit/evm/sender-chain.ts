import type { Hex } from 'viem'
import { generatePrivateKey, privateKeyToAddress } from 'viem/accounts'
import { afterAll, beforeAll, beforeEach } from 'vitest'
import { Anvil } from '../../support/anvil.ts'

/** The anvil of one test file; blocks are made by themselves again before each test. */
export class SenderChain {
  #anvil: Anvil | undefined

  /** Registers the hooks of the file that calls it. */
  static use(): SenderChain {
    const chain = new SenderChain()
    beforeAll(async () => {
      chain.#anvil = await Anvil.start()
    })
    afterAll(async () => {
      await chain.#anvil?.stop()
    })
    beforeEach(async () => {
      await chain.anvil.setAutomine(true)
    })
    return chain
  }

  get anvil(): Anvil {
    if (this.#anvil === undefined) throw new Error('the anvil of the tests runs between their hooks')
    return this.#anvil
  }

  /** A new key with an ether. */
  async fundedKey(): Promise<{ privateKey: Hex; address: Hex }> {
    const privateKey = generatePrivateKey()
    const address = privateKeyToAddress(privateKey)
    await this.anvil.setBalance(address, 10n ** 18n)
    return { privateKey, address }
  }

  /** Mines until everything mined so far is final, looks, and does so again for what that brought. */
  async settle(senders: readonly { tick(): Promise<void> }[], rounds = 3): Promise<void> {
    for (let round = 0; round < rounds; round++) {
      await this.anvil.mine(3)
      for (const sender of senders) await sender.tick()
    }
  }
}

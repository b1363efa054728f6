import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { EngineChain, EnginePair } from './engine-pair.ts'

const GWEI = 10n ** 9n

let chain: EngineChain
let pair: EnginePair | undefined

beforeAll(async () => {
  chain = await EngineChain.start()
})
afterEach(async () => {
  await pair?.stop()
  pair = undefined
})
afterAll(async () => {
  await chain?.anvil.stop()
})

describe('a top-up that is asked for and not sent yet', () => {
  it.each([
    ['coin', 'native'],
    ['token by permit', chainToken],
    ['token by authorization', authorizationToken],
  ])(
    'does not keep the next channel waiting when the peer has closed its own: %s',
    async (_, tokenOf) => {
      const token = typeof tokenOf === 'string' ? tokenOf : await tokenOf()
      const asset = {
        token,
        deposit: '1000',
        maxDepositPerChannel: '2000',
        totalBudget: '100000',
        claimAtValue: '1000000',
      }
      const assets = { USD: asset }
      pair = await EnginePair.start(chain, {
        payer: { assets, maxFeePerGas: String(50n * GWEI) },
        payee: { assets, maxFeePerGas: String(5_000n * GWEI), feeBudget: String(10n ** 18n) },
        asset: 'USD',
      })
      const { payer, payee } = pair
      if (token !== 'native') await chain.mint(payer.address, 100_000n, token as `0x${string}`)
      await payer.settle('a', 900n)
      await pair.until('a settled', () => payer.ends.get('a') === 'settled')
      // The payer wants to top up, and finds it too dear.
      await chain.anvil.setNextBaseFee(200n * GWEI)
      await payer.settle('b', 50n)
      await pair.until('the top-up waits', () => payer.alarms.includes('fee-limit'))
      await pair.payee.engine.operations.close(payee.engine.channels()[0]!.id)
      await pair.until('closed', async () => {
        await chain.anvil.setNextBaseFee(200n * GWEI)
        return payer.engine.channels()[0]!.state === 'closed'
      })
      await chain.anvil.setNextBaseFee(GWEI)
      await payer.settle('c', 800n)
      await pair.until('c settled', () => payer.ends.get('c') === 'settled')
      await pair.until('credited', () => payee.creditedSum === 1_750n)
      for (let n = 0; n < 4; n++) await pair.advance()
      expect(payer.alarms).not.toContain('deposit-failed')
    },
    60_000,
  )
})

async function chainToken(): Promise<string> {
  return await chain.deployToken('TestToken', ['Test', 'TST', 6])
}

async function authorizationToken(): Promise<string> {
  return await chain.deployToken('AuthorizationToken', ['Test', 'TST', 6])
}

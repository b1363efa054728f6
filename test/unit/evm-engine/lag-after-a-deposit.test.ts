import { afterAll, beforeAll, expect, it } from 'vitest'
import { JsonRpcProxy } from '../../support/json-rpc-proxy.ts'
import { waitFor } from '../../support/wait-for.ts'
import { EngineChain, EnginePair } from './engine-pair.ts'

let chain: EngineChain
let proxy: JsonRpcProxy

beforeAll(async () => {
  chain = await EngineChain.start()
  proxy = await JsonRpcProxy.start(chain.anvil.url)
})
afterAll(async () => {
  await proxy?.stop()
  await chain?.anvil.stop()
})

it('a node that lags behind the block from which a channel was taken does not make its deposit gone', async () => {
  const pair = await EnginePair.start(chain, { payee: { rpcUrls: [proxy.url] } })
  const { payee, payer } = pair
  await chain.anvil.mine(5)
  const before = await chain.anvil.blockNumber()
  await payer.settle('order', 100n)
  await waitFor('the payee has said that it credits the voucher', async () => {
    await chain.anvil.mine()
    // The payee's own looks at the chain are still to come.
    await payer.engine.tick()
    return payer.ends.get('order') === 'settled'
  })
  proxy.lagBlocks = (await chain.anvil.blockNumber()) - before
  await payee.engine.tick()
  expect(payee.alarms).toEqual([])
  proxy.lagBlocks = 0
  await payer.settle('next', 50n)
  await pair.until('the next one is credited', () => payee.creditedSum === 150n)
  await pair.stop()
})

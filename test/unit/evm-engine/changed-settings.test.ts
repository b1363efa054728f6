import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { EngineConfigError } from '../../../src/settlement/engine.ts'
import { ANVIL_KEYS } from '../../support/anvil.ts'
import { EngineChain, EnginePair } from './engine-pair.ts'

let chain: EngineChain
/** Another contract of the same code. */
let elsewhere: EngineChain['contract']
let pair: EnginePair

beforeAll(async () => {
  chain = await EngineChain.start()
  elsewhere = await chain.deployChannels()
})
afterEach(async () => {
  await pair.stop()
})
afterAll(async () => {
  await chain?.anvil.stop()
})

async function settled(id: string, amount: bigint): Promise<void> {
  await pair.payer.settle(id, amount)
  await pair.until(`${id} settled`, () => pair.payer.ends.get(id) === 'settled')
}

async function startFailure(): Promise<string | undefined> {
  try {
    await pair.payee.open()
    return undefined
  } catch (error) {
    expect(error).toBeInstanceOf(EngineConfigError)
    return (error as EngineConfigError).path
  }
}

describe('books with channels that are not closed', () => {
  it('are not read as those of another contract or key, and are as they were after that', async () => {
    pair = await EnginePair.start(chain)
    const { payee } = pair
    await settled('a', 400n)
    await payee.engine.stop()
    payee.change({ contract: elsewhere })
    expect(await startFailure()).toBe('contract')
    payee.change({ contract: chain.contract })
    const funding = join(payee.directory, 'funding')
    writeFileSync(funding, `0x${'55'.repeat(32)}`, { mode: 0o600 })
    expect(await startFailure()).toBe('keys.fundingKeyFile')
    writeFileSync(funding, ANVIL_KEYS[2]!, { mode: 0o600 })
    await payee.open()
    await settled('b', 1n)
    expect(payee.creditedSum).toBe(401n)
    expect(payee.alarms).toEqual([])
  }, 60_000)

  it('can go to another contract once all are closed', async () => {
    pair = await EnginePair.start(chain)
    const { payee, payer } = pair
    await settled('a', 400n)
    await payee.engine.operations.close(payee.engine.channels()[0]!.id)
    for (const side of [payee, payer]) {
      await pair.until('closed', () => side.engine.channels()[0]!.state === 'closed')
    }
    await pair.advance()
    await payer.restart('ETH', { contract: elsewhere })
    await payee.restart('ETH', { contract: elsewhere })
    await settled('b', 7n)
    await pair.until('credited', () => payee.creditedSum === 407n)
  }, 60_000)
})

describe('a new claim key', () => {
  it('signs in a new channel, and the old one is paid out', async () => {
    pair = await EnginePair.start(chain)
    const { payee, payer } = pair
    await settled('a', 400n)
    await payer.engine.stop()
    writeFileSync(join(payer.directory, 'claim'), `0x${'77'.repeat(32)}`, { mode: 0o600 })
    await payer.open()
    await settled('b', 30n)
    await pair.until('credited', () => payee.creditedSum === 430n)
    expect(payer.engine.channels()).toHaveLength(2)
    const [old] = payer.engine.channels()
    await payer.engine.operations.close(old!.id)
    await pair.until('closed', () => payer.engine.channels()[0]!.state === 'closed')
    expect(payer.engine.channels()[0]).toMatchObject({ claimed: 400n })
    expect(payee.alarms).not.toContain('channel-lost')
  }, 60_000)
})

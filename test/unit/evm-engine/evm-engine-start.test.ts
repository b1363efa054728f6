import { chmodSync, copyFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { EvmEngine } from '../../../settlement-engines/evm/engine/evm-engine.ts'
import type { EvmEngineOptions } from '../../../settlement-engines/evm/engine/evm-options.ts'
import { systemClock } from '../../../src/lib/clock.ts'
import { silentLogger } from '../../../src/lib/logger.ts'
import { EngineConfigError } from '../../../src/settlement/engine.ts'
import { EngineChain, Side } from './engine-pair.ts'

describe('the start of an evm engine', () => {
  let chain: EngineChain
  let side: Side

  beforeAll(async () => {
    chain = await EngineChain.start()
    side = new Side(chain, 0)
    await side.open()
  })
  afterAll(async () => {
    await side?.stop()
    await chain?.anvil.stop()
  })

  async function problem(change: Partial<EvmEngineOptions>): Promise<string> {
    const directory = join(side.directory, 'other')
    try {
      const options = { ...side.options, directory, ...change }
      const engine = new EvmEngine(options, { host: side, clock: systemClock, logger: silentLogger })
      await engine.start()
      await engine.stop()
      return 'started'
    } catch (error) {
      expect(error).toBeInstanceOf(EngineConfigError)
      return (error as EngineConfigError).path
    }
  }

  it('is refused on another chain, at another contract, or with a token that is none', async () => {
    expect(await problem({ chainId: 1 })).toBe('chainId')
    expect(await problem({ contract: chain.token })).toBe('contract')
    const { USD } = side.options.assets
    expect(await problem({ assets: { USD: { ...USD!, token: chain.contract } } })).toBe('assets.USD.token')
  })

  it('is refused with a token that tells a scale which no asset has', async () => {
    const { USD } = side.options.assets
    const token = `0x${'7e'.repeat(20)}` as const
    // Answers every call with the number.
    const answering = (scale: number) => `0x61${scale.toString(16).padStart(4, '0')}5f5260205ff3` as const
    const start = async () => await problem({ assets: { USD: { ...USD!, token } } })
    await chain.anvil.setCode(token, answering(256))
    expect(await start()).toBe('assets.USD.token')
    await chain.anvil.setCode(token, answering(255))
    expect(await start()).toBe('started')
  })

  it('is refused with keys that cannot be used', async () => {
    const { fundingKeyFile } = side.options.keys
    expect(await problem({ keys: { fundingKeyFile, claimKeyFile: fundingKeyFile } })).toBe(
      'keys.claimKeyFile',
    )
    const open = join(side.directory, 'open')
    copyFileSync(fundingKeyFile, open)
    chmodSync(open, 0o644)
    expect(await problem({ keys: { fundingKeyFile: open, claimKeyFile: open } })).toBe('keys.fundingKeyFile')
  })

  it('is refused while another engine holds the directory', async () => {
    expect(await problem({ directory: side.options.directory })).toBe('directory')
  })

  it('is refused for options that contradict each other', async () => {
    const { USD } = side.options.assets
    expect(await problem({ assets: { USD: { ...USD!, deposit: '0' } } })).toBe('assets.USD')
    expect(await problem({ settleDelaySeconds: 60 })).toBe('settleDelaySeconds')
    expect(await problem({ rpcUrls: [] })).toBe('rpcUrls')
  })

  it('serves no account of an asset that it does not know, or with wrong options', async () => {
    const account = side.account('ETH')
    const other = { ...account, id: 'other' }
    await expect(side.engine.openAccount({ ...other, assetCode: 'XRP' })).rejects.toThrow(EngineConfigError)
    await expect(side.engine.openAccount({ ...other, options: { mode: 'x' } })).rejects.toThrow(
      EngineConfigError,
    )
    await expect(side.engine.openAccount({ ...other, options: { mode: 'transfer' } })).rejects.toThrow(
      EngineConfigError,
    )
    const options = { peerAddress: side.address }
    await expect(side.engine.openAccount({ ...other, options })).rejects.toThrow(EngineConfigError)
  })
})

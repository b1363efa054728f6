import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { Hex } from 'viem'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { isSettlementChannels } from '../../../settlement-engines/evm/contract/runtime-code.ts'
import artifact from '../../../settlement-engines/evm/contract/settlement-channels.json' with { type: 'json' }
import { settlementChannelsAbi } from '../../../settlement-engines/evm/contract/settlement-channels-abi.ts'
import { ChannelsChain } from './channels-chain.ts'

const COMPILE = join(import.meta.dirname, '../../../settlement-engines/evm/contract/compile.ts')
/** EIP-170. */
const CODE_BYTES_MAX = 24_576

describe('the generated files of the contracts', () => {
  let chain: ChannelsChain
  beforeAll(async () => {
    chain = await ChannelsChain.start()
  })
  afterAll(async () => {
    await chain?.stop()
  })

  it('are what the sources compile to', async () => {
    const { stdout } = await promisify(execFile)(process.execPath, [COMPILE, '--check'])
    expect(stdout.match(/is up to date/g)).toHaveLength(4)
  }, 60_000)

  it('have one ABI in both forms', () => {
    expect(settlementChannelsAbi).toEqual(artifact.abi)
  })

  it('recognise the code of any deployment, and no other code', async () => {
    const first = await chain.client.getCode({ address: chain.channels.address })
    const second = await chain.client.getCode({ address: (await chain.another()).address })
    expect(first).not.toBe(second)
    expect(isSettlementChannels(first)).toBe(true)
    expect(isSettlementChannels(second)).toBe(true)
    expect(first!.length / 2 - 1).toBeLessThan(CODE_BYTES_MAX)
    const { start } = artifact.immutables[0]!
    const at = 2 + 2 * (start - 1)
    const byte = first!.slice(at, at + 2) === '00' ? '01' : '00'
    expect(isSettlementChannels(`${first!.slice(0, at)}${byte}${first!.slice(at + 2)}` as Hex)).toBe(false)
    expect(isSettlementChannels(await chain.client.getCode({ address: chain.payer.address }))).toBe(false)
    const token = await chain.deploy('TestToken', ['Test', 'TST', 6])
    expect(isSettlementChannels(await chain.client.getCode({ address: token }))).toBe(false)
  })
})

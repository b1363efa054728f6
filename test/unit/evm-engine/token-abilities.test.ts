import type { Hex } from 'viem'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Chain } from '../../../settlement-engines/evm/chain.ts'
import { TokenProbe } from '../../../settlement-engines/evm/engine/token-abilities.ts'
import { SigningKey } from '../../../settlement-engines/evm/signing-key.ts'
import { silentLogger } from '../../../src/lib/logger.ts'
import { ANVIL_KEYS } from '../../support/anvil.ts'
import { EngineChain } from './engine-pair.ts'

describe('what tokens take by signature', () => {
  let chain: EngineChain
  let rpc: Chain
  let probe: TokenProbe

  beforeAll(async () => {
    chain = await EngineChain.start()
    rpc = new Chain({ urls: [chain.anvil.url], chainId: chain.anvil.chainId }, { logger: silentLogger })
    await rpc.start()
    probe = new TokenProbe({ chain: rpc, key: new SigningKey(ANVIL_KEYS[1]!) })
  })
  afterAll(async () => {
    rpc?.stop()
    await chain?.anvil.stop()
  })

  it('are transfers, or else allowances, under the domain that the token tells', async () => {
    const authorized = await chain.deployToken('AuthorizationToken', ['Authorized', 'AUT', 6])
    expect(await probe.abilityOf(authorized)).toEqual({
      kind: 'authorization',
      domain: {
        name: 'Authorized',
        version: '1',
        chainId: chain.anvil.chainId,
        verifyingContract: authorized,
      },
    })
    const permitted = await chain.deployToken('TestToken', ['Permitted', 'PMT', 6])
    expect(await probe.abilityOf(permitted)).toMatchObject({ kind: 'permit', domain: { name: 'Permitted' } })
  })

  it('is nothing for tokens without signatures', async () => {
    expect(await probe.abilityOf(await chain.deployToken('HookToken'))).toBeUndefined()
    expect(await probe.abilityOf(await chain.deployToken('SilentToken'))).toBeUndefined()
  })

  it.each([
    ['says nothing', '0x00'],
    // Returns 32 zero bytes: no name, nothing used, nonce 0, and every signature is fine.
    ['says 0', '0x60206000f3'],
    ['reverts', '0x60006000fd'],
    ['is none', '0x'],
  ] as const)('is nothing for a contract that %s to everything', async (_, code) => {
    const address: Hex = `0x${'c0de'.repeat(10)}`
    await chain.anvil.setCode(address, code)
    expect(await probe.abilityOf(address)).toBeUndefined()
  })

  it('is not decided while no node can be asked', async () => {
    const cut = new Chain({ urls: [chain.anvil.url], chainId: chain.anvil.chainId }, { logger: silentLogger })
    const other = new TokenProbe({ chain: cut, key: new SigningKey(ANVIL_KEYS[1]!) })
    cut.stop()
    await expect(other.abilityOf(chain.token)).rejects.toThrow()
  })
})

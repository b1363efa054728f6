import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Hex } from 'viem'
import { privateKeyToAddress } from 'viem/accounts'
import { EvmEngine } from '../../../settlement-engines/evm/engine/evm-engine.ts'
import { systemClock } from '../../../src/lib/clock.ts'
import { silentLogger } from '../../../src/lib/logger.ts'
import { type EngineHarness, settlementEngineCompliance } from '../../compliance/settlement-engine.ts'
import { ANVIL_KEYS } from '../../support/anvil.ts'
import { EngineChain, RICH } from './engine-pair.ts'

const OWN = privateKeyToAddress(ANVIL_KEYS[1]!).toLowerCase() as Hex
const PEERS: Record<string, Hex> = {
  alice: privateKeyToAddress(ANVIL_KEYS[2]!),
  bob: privateKeyToAddress(ANVIL_KEYS[3]!),
}
/** Blocks until the newest is final in these tests. */
const FINAL_BLOCKS = 4

// Plain transfers of a token need no peer that answers; compliance-channels.test.ts is for the other mode.
settlementEngineCompliance('evm, transfers', async () => await makeHarness('TestToken'))
settlementEngineCompliance(
  'evm, transfers by authorization',
  async () => await makeHarness('AuthorizationToken'),
)

async function makeHarness(kind: 'TestToken' | 'AuthorizationToken'): Promise<EngineHarness> {
  const chain = await EngineChain.start()
  const token = await chain.deployToken(kind, ['Test', 'TST', 6])
  const directory = mkdtempSync(join(tmpdir(), 'causeway-evm-compliance-'))
  for (const holder of [OWN, RICH, PEERS.alice!, PEERS.bob!]) await chain.mint(holder, 1_000_000n, token)
  await chain.anvil.mine(FINAL_BLOCKS)
  await chain.anvil.setAutomine(false)
  writeFileSync(join(directory, 'funding'), ANVIL_KEYS[1]!, { mode: 0o600 })
  writeFileSync(join(directory, 'claim'), '11'.repeat(32), { mode: 0o600 })
  const bounds = { deposit: '1', maxDepositPerChannel: '1', totalBudget: '1', claimAtValue: '1' }
  const options = {
    rpcUrls: [chain.anvil.url],
    chainId: chain.anvil.chainId,
    contract: chain.contract,
    keys: { fundingKeyFile: join(directory, 'funding'), claimKeyFile: join(directory, 'claim') },
    directory: join(directory, 'books'),
    assets: { USD: { token, ...bounds } },
    acceptTransfers: true,
    pollMs: 0,
  }
  let isFinal = false
  let newest: EvmEngine | undefined
  return {
    patienceMs: 15_000,
    make: async (host) => {
      newest = new EvmEngine(options, { host, clock: systemClock, logger: silentLogger })
      return newest
    },
    crash: async (engine) => await engine.stop(),
    account: (id) => ({
      id,
      assetCode: 'USD',
      assetScale: 9,
      ownAddress: 'test.us',
      peerAddress: `test.${id}`,
      options: { mode: 'transfer', peerAddress: PEERS[id]! },
    }),
    finalise: async (on) => {
      isFinal = on
      await chain.anvil.setAutomine(on)
    },
    advance: async () => {
      if (isFinal) await chain.anvil.mine()
      await newest?.tick()
    },
    refuse: undefined,
    peer: undefined,
    payIn: async (accountId, amount) => {
      await chain.payTokens(accountId === undefined ? RICH : PEERS[accountId]!, OWN, amount, token)
      await chain.anvil.mine(FINAL_BLOCKS)
      return { amount, scale: 6 }
    },
    dispose: async () => {
      await chain.anvil.stop()
      rmSync(directory, { recursive: true, force: true })
    },
  }
}

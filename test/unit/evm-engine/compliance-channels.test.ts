import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Hex } from 'viem'
import { privateKeyToAddress } from 'viem/accounts'
import { EvmEngine } from '../../../settlement-engines/evm/engine/evm-engine.ts'
import type { EvmEngineOptions } from '../../../settlement-engines/evm/engine/evm-options.ts'
import { systemClock } from '../../../src/lib/clock.ts'
import { silentLogger } from '../../../src/lib/logger.ts'
import {
  type EngineAccount,
  type EngineHost,
  MessageRefusedError,
  PeerMessageError,
  type SettlementOrder,
} from '../../../src/settlement/engine.ts'
import { type EngineHarness, settlementEngineCompliance } from '../../compliance/settlement-engine.ts'
import { ANVIL_KEYS } from '../../support/anvil.ts'
import { EngineChain, RICH } from './engine-pair.ts'

/** The engine under test, and those of its peers: all real, each with a key of its own. */
const KEYS = { us: ANVIL_KEYS[1]!, alice: ANVIL_KEYS[2]!, bob: ANVIL_KEYS[3]! }
type Name = keyof typeof KEYS
const OWN = privateKeyToAddress(KEYS.us).toLowerCase() as Hex
const FINAL_BLOCKS = 4
const MAX_DEPOSIT = 50_000n

settlementEngineCompliance('evm, channels', async (): Promise<EngineHarness> => {
  const chain = await EngineChain.start()
  const directory = mkdtempSync(join(tmpdir(), 'causeway-evm-compliance-'))
  for (const holder of [RICH, ...Object.values(KEYS).map((key) => privateKeyToAddress(key))]) {
    await chain.mint(holder, 1_000_000n)
  }
  await chain.anvil.mine(FINAL_BLOCKS)
  await chain.anvil.setAutomine(false)
  const optionsOf = (name: Name, index: number): EvmEngineOptions => {
    const own = join(directory, name)
    const file = (kind: string, key: string) => {
      writeFileSync(`${own}-${kind}`, key, { mode: 0o600 })
      return `${own}-${kind}`
    }
    const bounds = { deposit: '10000', maxDepositPerChannel: String(MAX_DEPOSIT), totalBudget: '200000' }
    return {
      rpcUrls: [chain.anvil.url],
      chainId: chain.anvil.chainId,
      contract: chain.contract,
      keys: {
        fundingKeyFile: file('funding', KEYS[name]),
        claimKeyFile: file('claim', String(index).repeat(64)),
      },
      directory: join(directory, `${name}-books`),
      assets: { USD: { token: chain.token, claimAtValue: '1000', ...bounds } },
      acceptTransfers: true,
      pollMs: 0,
    }
  }
  const accountOf = (id: string, ownAddress: string, peerAddress: string): EngineAccount => {
    return { id, assetCode: 'USD', assetScale: 9, ownAddress, peerAddress, options: {} }
  }
  const settings = { us: optionsOf('us', 1), alice: optionsOf('alice', 2), bob: optionsOf('bob', 3) }
  let newest: EvmEngine | undefined
  let isMining = false
  let payments = 0
  const peers = new Map<string, EvmEngine>()
  const sent: SettlementOrder[] = []
  for (const name of ['alice', 'bob'] as const) {
    const deps = { host: peerHost(name, () => newest, sent), clock: systemClock, logger: silentLogger }
    const peer = new EvmEngine(settings[name], deps)
    await peer.start()
    await peer.openAccount(accountOf('us', `test.${name}`, 'test.us'))
    peers.set(name, peer)
  }
  return {
    patienceMs: 40_000,
    make: async (host) => {
      newest = new EvmEngine(settings.us, { host, clock: systemClock, logger: silentLogger })
      return newest
    },
    crash: async (engine) => await engine.stop(),
    account: (id) => accountOf(id, 'test.us', `test.${id}`),
    finalise: async (on) => {
      isMining = on
      await chain.anvil.setAutomine(on)
    },
    advance: async () => {
      if (isMining) await chain.anvil.mine()
      await newest?.tick()
      for (const peer of peers.values()) await peer.tick()
    },
    refuse: async (order) => {
      const quantity = { amount: MAX_DEPOSIT + 1n, scale: order.quantity.scale }
      return { ...order, quantity }
    },
    peer: async (accountId, message) => await passed(peers.get(accountId), 'us', message),
    payIn: async (accountId, amount) => {
      isMining = true
      await chain.anvil.setAutomine(true)
      const quantity = { amount, scale: 6 }
      if (accountId === undefined) await chain.payTokens(RICH, OWN, amount)
      else {
        const order = { id: `payment-${++payments}`, accountId: 'us', quantity }
        sent.push(order)
        await peers.get(accountId)!.settle(order)
      }
      return quantity
    },
    dispose: async () => {
      for (const peer of peers.values()) await peer.stop()
      await chain.anvil.stop()
      rmSync(directory, { recursive: true, force: true })
    },
  }
})

/** The node of a peer: takes note of everything, and passes messages on to the engine under test. */
function peerHost(
  name: string,
  other: () => EvmEngine | undefined,
  handed: readonly SettlementOrder[],
): EngineHost {
  const nothing = { amount: 0n, scale: 6 }
  const settled = new Set<string>()
  return {
    credit: async () => undefined,
    settled: async (id) => void settled.add(id),
    refused: async () => undefined,
    send: async (_, message) => await passed(other(), name, message),
    credited: async () => nothing,
    orders: async () => ({
      settled: nothing,
      open: [],
      offered: handed.filter(({ id }) => !settled.has(id)),
    }),
  }
}

/** What a node does with a message: the other engine's refusal comes back as one. */
async function passed(to: EvmEngine | undefined, accountId: string, message: Buffer): Promise<Buffer> {
  if (to === undefined) throw new PeerMessageError('nobody is there')
  try {
    return await to.receive(accountId, message)
  } catch (error) {
    if (error instanceof MessageRefusedError) throw new PeerMessageError(error.message, error.code)
    throw new PeerMessageError(String(error))
  }
}

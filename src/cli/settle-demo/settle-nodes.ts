import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Hex } from 'viem'
import { generatePrivateKey, privateKeyToAddress } from 'viem/accounts'
import { generateToken } from '../../config/generate-token.ts'
import { DemoNode, freePort } from '../demo-node.ts'
import type { DemoChain } from './demo-chain.ts'

/** In the nodes' books; the token has fewer decimals, so that remainders stay behind. */
export const USD = { code: 'USD', scale: 9 }
export const TOKEN_SCALE = 6
export const ACCOUNTS = { north: 'alice', south: 'bob' } as const
const ETHER = 10n ** 18n
/** What each node begins with on the chain: 1,000 USD. */
export const MINTED = 1_000n * 10n ** BigInt(TOKEN_SCALE)
const POLL_MS = 250
/** The least that the contract takes, seconds. */
const DELAY_S = 900

export type SideName = keyof typeof ACCOUNTS

/** One node of the two, with its place on the chain. */
export interface Side {
  readonly name: SideName
  /** The other node: the id of its account here. */
  readonly peer: SideName
  readonly node: DemoNode
  /** Where it holds its tokens. */
  readonly address: Hex
}

/** Writes the configurations and keys of two nodes that are peers and settle with each other, and gives both money. */
export async function createSides(
  directory: string,
  chain: DemoChain,
  places: { contract: Hex; token: Hex },
): Promise<readonly [Side, Side]> {
  const [btpPort, spspNorth, spspSouth] = [await freePort(), await freePort(), await freePort()]
  const secrets = { peering: generateToken() }
  const link = { plugin: 'btp', token: 'secret:peering' }
  const listen = (port: number) => ({ listen: { host: '127.0.0.1', port } })
  const create = async (name: SideName, peer: SideName, extra: Record<string, unknown>, spspPort: number) => {
    const keys = writeKeys(join(directory, name, 'keys'))
    await chain.fund(keys.address, 10n * ETHER)
    await chain.mint(keys.address, MINTED)
    const config = {
      node: { ilpAddress: `test.${name}` },
      accounts: [{ id: ACCOUNTS[name], asset: USD, creditLimit: units(100) }],
      spsp: listen(spspPort),
      settlement: { reconcileIntervalMs: 10_000, engines: { evm: engine(chain, places) } },
    }
    const node = await DemoNode.create(name, directory, { ...config, ...extra }, secrets)
    return { name, peer, node, address: keys.address }
  }
  const north = await create(
    'north',
    'south',
    { plugins: { btp: listen(btpPort) }, peers: [peerOf('south', { ...link, mode: 'server' })] },
    spspNorth,
  )
  const url = `ws://127.0.0.1:${btpPort}`
  const toNorth = { peers: [peerOf('north', { ...link, mode: 'client', url })] }
  const south = await create('south', 'north', toNorth, spspSouth)
  return [north, south]
}

function peerOf(id: SideName, link: Record<string, unknown>) {
  return {
    id,
    relation: 'peer',
    asset: USD,
    link,
    routes: [`test.${id}`],
    creditLimit: units(100),
    limits: { maxPacketAmount: units(1) },
    settlement: { engine: 'evm', threshold: units(5), settleTo: '0' },
  }
}

function engine(chain: DemoChain, { contract, token }: { contract: Hex; token: Hex }) {
  const tokens = (whole: number) => String(BigInt(whole) * 10n ** BigInt(TOKEN_SCALE))
  const usd = { deposit: tokens(20), maxDepositPerChannel: tokens(100), totalBudget: tokens(100) }
  return {
    type: 'evm',
    rpcUrls: [chain.url],
    chainId: chain.chainId,
    contract,
    keys: { fundingKeyFile: 'keys/funding', claimKeyFile: 'keys/claim' },
    // Vouchers are handed in when the demo says so.
    assets: { [USD.code]: { token, claimAtValue: tokens(1_000), ...usd } },
    settleDelaySeconds: DELAY_S,
    minSettleDelaySeconds: DELAY_S,
    pollMs: POLL_MS,
  }
}

/** Whole USD in units of the books. */
function units(whole: number): string {
  return String(BigInt(whole) * 10n ** BigInt(USD.scale))
}

function writeKeys(directory: string): { address: Hex } {
  mkdirSync(directory, { recursive: true, mode: 0o700 })
  const funding = generatePrivateKey()
  writeFileSync(join(directory, 'funding'), funding, { mode: 0o600 })
  writeFileSync(join(directory, 'claim'), generatePrivateKey(), { mode: 0o600 })
  return { address: privateKeyToAddress(funding) }
}

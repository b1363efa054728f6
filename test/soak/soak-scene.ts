import { createHash } from 'node:crypto'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Hex } from 'viem'
import { privateKeyToAddress } from 'viem/accounts'
import type { SeededRandom } from '../compliance/seeded-random.ts'
import { freePort } from '../support/free-port.ts'
import { JsonRpcProxy } from '../support/json-rpc-proxy.ts'
import { NodeProcess } from '../support/node-process.ts'
import { EngineChain } from '../unit/evm-engine/engine-pair.ts'
import { MONEY_KINDS, type MoneyKind, STEP, toToken } from './money-kinds.ts'
import { SoakNode, type Terms } from './soak-node.ts'

const NAMES = ['a', 'b', 'c']
const BLOCK_SECONDS = 1
/** After so many all that came before is final. */
const FINAL_BLOCKS = 5
const SETTLE_DELAY_SECONDS = 900
const POLL_MS = 500
/** Above all that a run brings together: nothing settles. */
const NEVER = '900000000000000'
/** What every wallet has at first: tokens, and coins for fees and to settle in. */
export const START_TOKENS = 10n ** 12n
export const START_WEI = 10n ** 22n

/** Two or three nodes in a row, peers of each other in every kind of money, that settle over one chain. */
export class SoakScene {
  readonly chain: EngineChain
  readonly nodes: readonly SoakNode[]
  /** Tokens by kind of money; the coin has none. */
  readonly #tokens: ReadonlyMap<string, Hex>
  readonly #keys: string

  private constructor(chain: EngineChain, nodes: SoakNode[], tokens: Map<string, Hex>, keys: string) {
    this.chain = chain
    this.nodes = nodes
    this.#tokens = tokens
    this.#keys = keys
  }

  /** Makes the chain and writes the configurations; nothing is started. @param random decides what the token can do */
  static async create(nodeCount: number, random: SeededRandom): Promise<SoakScene> {
    const chain = await EngineChain.start()
    const usd = random.below(2) === 0 ? chain.token : await deployToken(chain, 'Dollar', 'USD')
    const tokens = new Map([
      ['usd', usd],
      ['eur', await deployToken(chain, 'Euro', 'EUR')],
    ])
    await chain.anvil.mine(3)
    await chain.anvil.rpc('evm_setIntervalMining', BLOCK_SECONDS)
    const keys = mkdtempSync(join(tmpdir(), 'causeway-soak-'))
    const names = NAMES.slice(0, nodeCount)
    const ports = new Map<string, number>()
    for (const name of names) ports.set(name, await freePort())
    const nodes: SoakNode[] = []
    for (const name of names) nodes.push(await createNode({ chain, keys, name, names, ports, tokens }))
    const scene = new SoakScene(chain, nodes, tokens, keys)
    await scene.#fillWallets()
    return scene
  }

  async #fillWallets(): Promise<void> {
    const { anvil } = this.chain
    for (const { name } of this.nodes) {
      for (const kind of MONEY_KINDS) {
        const address = this.addressOf(name, kind)
        await anvil.setBalance(address, START_WEI)
        const token = this.tokenOf(kind)
        if (token !== undefined) await this.chain.mint(address, START_TOKENS, token)
      }
    }
    await anvil.drain()
    // Final before any engine looks: it would take it for a payment of somebody unknown.
    await anvil.mine(FINAL_BLOCKS)
  }

  tokenOf(kind: MoneyKind): Hex | undefined {
    return this.#tokens.get(kind.name)
  }

  /** Where a node pays from and is paid. */
  addressOf(node: string, kind: MoneyKind): Hex {
    return addressOf(node, kind)
  }

  /** Names of the nodes that are a node's peers. */
  neighbours(node: string): string[] {
    return neighbours(
      this.nodes.map(({ name }) => name),
      node,
    )
  }

  /** The nodes from one to another, both included. */
  path(from: string, to: string): string[] {
    const names = this.nodes.map(({ name }) => name)
    const [first, last] = [names.indexOf(from), names.indexOf(to)]
    return first <= last ? names.slice(first, last + 1) : names.slice(last, first + 1).toReversed()
  }

  /** What the engines wrote for their operators stays when `keeps` is set; @returns where */
  async destroy(keeps = false): Promise<string[]> {
    for (const { process, proxies } of this.nodes) {
      if (keeps) {
        process.signal('SIGKILL')
        await process.ended()
        writeFileSync(join(process.directory, 'node.log'), process.output)
      } else await process.destroy()
      for (const proxy of proxies) await proxy.stop()
    }
    await this.chain.anvil.stop()
    if (!keeps) rmSync(this.#keys, { recursive: true, force: true })
    return keeps ? this.nodes.map(({ process }) => process.directory) : []
  }
}

/** Terms under which the load makes an account settle every few seconds. */
export function busyTerms(change: Terms = {}): Terms {
  return { threshold: String(20_000n * STEP), maxAmount: String(200_000n * STEP), ...change }
}

/** The token of a customer of a node. */
export function customerToken(node: string, kind: MoneyKind): string {
  return `token-of-customer-${node}-${kind.name}-0123456789`
}

async function deployToken(chain: EngineChain, name: string, symbol: string): Promise<Hex> {
  return await chain.deployToken('AuthorizationToken', [name, symbol, 6])
}

function addressOf(node: string, kind: MoneyKind): Hex {
  return privateKeyToAddress(keyOf(node, kind, 'funding')).toLowerCase() as Hex
}

function keyOf(node: string, kind: MoneyKind, use: 'funding' | 'claim'): Hex {
  return `0x${createHash('sha256').update(`${node} ${kind.name} ${use}`).digest('hex')}`
}

function neighbours(names: readonly string[], node: string): string[] {
  const at = names.indexOf(node)
  return [names[at - 1], names[at + 1]].filter((name) => name !== undefined)
}

interface NodePlan {
  readonly chain: EngineChain
  /** Directory for key files. */
  readonly keys: string
  readonly name: string
  readonly names: readonly string[]
  readonly ports: ReadonlyMap<string, number>
  readonly tokens: ReadonlyMap<string, Hex>
}

async function createNode(plan: NodePlan): Promise<SoakNode> {
  const { chain, keys, name, names, ports } = plan
  const proxies = [await JsonRpcProxy.start(chain.anvil.url)]
  // One of them may ask a second node.
  if (names.indexOf(name) === 1) proxies.push(await JsonRpcProxy.start(chain.anvil.url))
  mkdirSync(join(keys, name))
  const secrets: Record<string, string> = {}
  const engines: Record<string, object> = {}
  const peers: object[] = []
  for (const kind of MONEY_KINDS) {
    engines[kind.name] = engineSection(plan, kind, proxies)
    for (const other of neighbours(names, name)) peers.push(peerSection(plan, kind, { other, secrets }))
    secrets[`customer-${kind.name}`] = customerToken(name, kind)
    peers.push({
      id: kind.name,
      relation: 'child',
      asset: kind.asset,
      creditLimit: '1000000000000000000',
      link: { plugin: 'btp', mode: 'server', token: `secret:customer-${kind.name}` },
    })
  }
  const btpPort = ports.get(name)!
  const configuration = {
    node: { id: name, ilpAddress: `test.${name}` },
    plugins: { btp: { listen: { host: '127.0.0.1', port: btpPort } } },
    peers,
    settlement: { engines },
  }
  return new SoakNode({ name, process: await NodeProcess.create(configuration, secrets), proxies, btpPort })
}

function engineSection({ chain, keys, name, tokens }: NodePlan, kind: MoneyKind, proxies: JsonRpcProxy[]) {
  const file = (use: 'funding' | 'claim') => {
    const path = join(keys, name, `${kind.name}-${use}`)
    writeFileSync(path, keyOf(name, kind, use), { mode: 0o600 })
    return path
  }
  const tokenUnits = (steps: bigint) => String(toToken(kind, steps * STEP))
  return {
    type: 'evm',
    rpcUrls: proxies.map(({ url }) => url),
    chainId: chain.anvil.chainId,
    contract: chain.contract,
    keys: { fundingKeyFile: file('funding'), claimKeyFile: file('claim') },
    assets: {
      [kind.asset.code]: {
        token: tokens.get(kind.name) ?? 'native',
        deposit: tokenUnits(1_000_000n),
        maxDepositPerChannel: tokenUnits(3_000_000n),
        totalBudget: tokenUnits(12_000_000n),
        claimAtValue: tokenUnits(300_000n),
      },
    },
    settleDelaySeconds: SETTLE_DELAY_SECONDS,
    minSettleDelaySeconds: SETTLE_DELAY_SECONDS,
    pollMs: POLL_MS,
    ...(kind.mode === 'transfer' ? { acceptTransfers: true } : {}),
  }
}

function peerSection(
  { name, names, ports }: NodePlan,
  kind: MoneyKind,
  { other, secrets }: { other: string; secrets: Record<string, string> },
) {
  const isClient = names.indexOf(other) < names.indexOf(name)
  const secret = `${[name, other].sort().join('')}-${kind.name}`
  secrets[secret] = `token-of-peers-${secret}-0123456789`
  const token = `secret:${secret}`
  const reconnect = { reconnectMsMin: 200, reconnectMsMax: 500 }
  const client = { mode: 'client', url: `ws://127.0.0.1:${ports.get(other)}`, token, ...reconnect }
  const beyond = isClient ? names.slice(0, names.indexOf(name)) : names.slice(names.indexOf(other))
  return {
    id: `${other}-${kind.name}`,
    relation: 'peer',
    asset: kind.asset,
    link: { plugin: 'btp', ...(isClient ? client : { mode: 'server', token }) },
    creditLimit: String(4_000_000n * STEP),
    routes: beyond.map((node) => `test.${node}.${kind.name}`),
    settlement: {
      engine: kind.name,
      options:
        kind.mode === 'transfer'
          ? { mode: 'transfer', peerAddress: addressOf(other, kind) }
          : { mode: 'channel' },
      ...busyTerms({ threshold: NEVER }),
    },
  }
}

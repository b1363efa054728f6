import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Hex } from 'viem'
import { privateKeyToAddress } from 'viem/accounts'
import { EngineChain } from '../unit/evm-engine/engine-pair.ts'
import { ANVIL_KEYS } from './anvil.ts'
import { freePort } from './free-port.ts'
import { NodeProcess } from './node-process.ts'
import { waitFor } from './wait-for.ts'

const USD = { code: 'USD', scale: 6 }
const TOKEN = 'token-between-two-settling-nodes-0123456789'
const PLENTY = '1000000000000'
const PAYMENT_DEADLINE_MS = 60_000
const BLOCK_SECONDS = 1
/** A busy machine takes its time. */
export const START_MS = 60_000

export interface SettlementRow {
  id: string
  direction: 'in' | 'out'
  accountId?: string
  amount?: string
  state: string
}

export interface ChannelRow {
  id: string
  direction: 'in' | 'out'
  state: string
  deposit: string
  claimed: string
  unclaimed: string
}

export interface SettlingNode {
  readonly name: 'left' | 'right'
  readonly process: NodeProcess
  /** Where it pays from and is paid on the chain. */
  readonly address: Hex
}

export interface SettlingChange {
  readonly ledgers?: { readonly left: object; readonly right: object }
  /** Gets the section of the engine that the left side would have, and gives another one. */
  readonly leftEngine?: (evm: Record<string, unknown>) => Promise<Record<string, unknown>>
  /** More secrets of both sides. */
  readonly secrets?: Record<string, string>
}

/** Two whole nodes, peers over BTP, that settle in a token on a chain of their own. `alice` is on the left, `bob` on the right. */
export class SettlingNodes {
  readonly chain: EngineChain
  readonly left: SettlingNode
  readonly right: SettlingNode
  readonly #directory: string

  private constructor(chain: EngineChain, directory: string, left: SettlingNode, right: SettlingNode) {
    this.chain = chain
    this.#directory = directory
    this.left = left
    this.right = right
  }

  /**
   * @param terms of `settlement` in both peers; `threshold` above all
   * @param change what is different: the ledger of each side, or what stands in the place of the left one's engine
   */
  static async create(terms: Record<string, unknown>, change: SettlingChange = {}): Promise<SettlingNodes> {
    const chain = await EngineChain.start()
    await chain.anvil.rpc('evm_setIntervalMining', BLOCK_SECONDS)
    const directory = mkdtempSync(join(tmpdir(), 'causeway-keys-'))
    const port = await freePort()
    const create = async (name: 'left' | 'right', index: number): Promise<SettlingNode> => {
      const key = ANVIL_KEYS[index]!
      const address = privateKeyToAddress(key).toLowerCase() as Hex
      const other = name === 'left' ? 'right' : 'left'
      const keyFile = (kind: string, value: string) => {
        const path = join(directory, `${name}-${kind}`)
        writeFileSync(path, value, { mode: 0o600 })
        return path
      }
      await chain.mint(address, BigInt(PLENTY))
      const evm = {
        type: 'evm',
        rpcUrls: [chain.anvil.url],
        chainId: chain.anvil.chainId,
        contract: chain.contract,
        keys: {
          fundingKeyFile: keyFile('funding', key),
          claimKeyFile: keyFile('claim', `0x${String(index).repeat(64)}`),
        },
        assets: {
          USD: {
            token: chain.token,
            deposit: '50000000',
            maxDepositPerChannel: '1000000000',
            totalBudget: '10000000000',
            claimAtValue: '20000000',
          },
        },
        settleDelaySeconds: 7_200,
        minSettleDelaySeconds: 3_600,
        pollMs: 200,
      }
      const section = name === 'left' ? ((await change.leftEngine?.(evm)) ?? evm) : evm
      const link =
        name === 'left'
          ? { plugin: 'btp', mode: 'server', token: 'secret:link' }
          : {
              plugin: 'btp',
              mode: 'client',
              url: `ws://127.0.0.1:${port}`,
              token: 'secret:link',
              reconnectMsMin: 200,
              reconnectMsMax: 500,
            }
      const process = await NodeProcess.create(
        {
          node: { id: name, ilpAddress: `test.${name}` },
          ...(name === 'left' ? { plugins: { btp: { listen: { host: '127.0.0.1', port } } } } : {}),
          peers: [
            {
              id: other,
              relation: 'peer',
              asset: USD,
              link,
              creditLimit: PLENTY,
              routes: [`test.${other}`],
              limits: { maxPacketAmount: '1000000' },
              settlement: { engine: 'evm', ...terms },
            },
          ],
          accounts: [{ id: name === 'left' ? 'alice' : 'bob', asset: USD, creditLimit: PLENTY }],
          spsp: { listen: { host: '127.0.0.1', port: 0 } },
          settlement: { engines: { evm: section } },
          ledger: change.ledgers?.[name] ?? {},
        },
        { link: TOKEN, ...change.secrets },
      )
      return { name, process, address }
    }
    return new SettlingNodes(chain, directory, await create('left', 1), await create('right', 2))
  }

  get both(): SettlingNode[] {
    return [this.left, this.right]
  }

  async start(): Promise<void> {
    await Promise.all(this.both.map(async ({ process }) => await process.start({}, START_MS)))
    await this.connected()
  }

  async connected(): Promise<void> {
    await waitFor('the nodes are connected', async () => {
      const [peer] = await this.left.process.admin<{ link: { connected: boolean } }[]>('GET', '/peers')
      return peer?.link.connected
    })
  }

  async destroy(): Promise<void> {
    await Promise.all(this.both.map(async ({ process }) => await process.destroy()))
    await this.chain.anvil.stop()
    rmSync(this.#directory, { recursive: true, force: true })
  }

  /** Pays over STREAM from the local account of one side to that of the other; resolves with what was delivered. */
  async pay(from: SettlingNode, amount: string): Promise<bigint> {
    const to = from === this.left ? this.right : this.left
    const own = from === this.left ? 'alice' : 'bob'
    const [account] = await to.process.admin<{ spspUrl: string }[]>('GET', '/local-accounts')
    const request = { fromAccount: own, destination: account!.spspUrl, amount }
    const { id } = await from.process.admin<{ id: string }>('POST', '/payments', request)
    return await waitFor(
      'the payment ends',
      async () => {
        const view = await from.process.admin<{ state: string; delivered: string }>('GET', `/payments/${id}`)
        return view.state === 'running' ? undefined : BigInt(view.delivered)
      },
      PAYMENT_DEADLINE_MS,
    )
  }

  async settlements({ process }: SettlingNode, direction: 'in' | 'out'): Promise<SettlementRow[]> {
    return await process.admin('GET', `/settlements?direction=${direction}&limit=1000`)
  }

  async channels({ process }: SettlingNode): Promise<ChannelRow[]> {
    return await process.admin('GET', '/channels')
  }

  /** Sum of what came to rest well: settled on the way out, booked on the way in. */
  async sum(node: SettlingNode, direction: 'in' | 'out'): Promise<bigint> {
    const good = direction === 'out' ? 'settled' : 'booked'
    const rows = await this.settlements(node, direction)
    return rows.filter(({ state }) => state === good).reduce((sum, row) => sum + BigInt(row.amount ?? 0), 0n)
  }
}

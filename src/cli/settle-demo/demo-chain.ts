import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  createPublicClient,
  encodeDeployData,
  encodeFunctionData,
  type Hex,
  http,
  type PublicClient,
  parseAbi,
} from 'viem'
import { settlementChannelsAbi } from '../../../settlement-engines/evm/contract/settlement-channels-abi.ts'
import { freePort, waitUntil } from '../demo-node.ts'
import token from './demo-token.json' with { type: 'json' }
import { findAnvil } from './find-anvil.ts'

const CHAIN_ID = 31_337
const START_DEADLINE_MS = 30_000
const MINED_DEADLINE_MS = 15_000
const TOKEN_ABI = parseAbi([
  'constructor(string name, string symbol, uint8 scale)',
  'function mint(address to, uint256 amount)',
  'function balanceOf(address owner) view returns (uint256)',
  'function totalSupply() view returns (uint256)',
])

/** A chain of the demo's own: anvil on loopback, a block each second and for each transaction, two blocks to finality. */
export class DemoChain {
  readonly chainId = CHAIN_ID
  readonly url: string
  readonly #child: ChildProcess
  readonly #client: PublicClient
  #token: Hex | undefined

  private constructor(url: string, child: ChildProcess) {
    this.url = url
    this.#child = child
    this.#client = createPublicClient({ transport: http(url) })
  }

  /** @throws CliError when anvil is not installed */
  static async start(): Promise<DemoChain> {
    const port = await freePort()
    const place = ['--host', '127.0.0.1', '--port', String(port), '--chain-id', String(CHAIN_ID)]
    const pace = ['--block-time', '1', '--mixed-mining', '--slots-in-an-epoch', '1', '--silent']
    const child = spawn(findAnvil(), [...place, ...pace], { stdio: 'ignore' })
    let failure: Error | undefined
    child.once('error', (error) => {
      failure = error
    })
    const chain = new DemoChain(`http://127.0.0.1:${port}`, child)
    try {
      await waitUntil('anvil answers', START_DEADLINE_MS, async () => {
        if (failure !== undefined) throw failure
        if (child.exitCode !== null) throw new Error(`anvil ended with exit code ${child.exitCode}`)
        return await chain.#client.getChainId().then(
          () => true,
          () => false,
        )
      })
      return chain
    } catch (error) {
      await chain.stop()
      throw error
    }
  }

  async stop(): Promise<void> {
    const { exitCode, pid, signalCode } = this.#child
    if (pid === undefined || exitCode !== null || signalCode !== null) return
    this.#child.kill('SIGKILL')
    await once(this.#child, 'exit')
  }

  /** Gives an address coins for fees. */
  async fund(address: Hex, wei: bigint): Promise<void> {
    await this.#send('anvil_setBalance', [address, `0x${wei.toString(16)}`])
  }

  /** Puts the token on the chain. @returns its address */
  async deployToken(scale: number): Promise<Hex> {
    const args = ['Demo Dollar', 'USD', scale] as const
    const data = encodeDeployData({ abi: TOKEN_ABI, bytecode: token.bytecode as Hex, args })
    const { contractAddress } = await this.#transact({ data })
    this.#token = contractAddress!
    return this.#token
  }

  async mint(to: Hex, amount: bigint): Promise<void> {
    const data = encodeFunctionData({ abi: TOKEN_ABI, functionName: 'mint', args: [to, amount] })
    await this.#transact({ to: this.#token!, data })
  }

  async balanceOf(address: Hex): Promise<bigint> {
    const call = { address: this.#token!, abi: TOKEN_ABI, functionName: 'balanceOf' } as const
    return await this.#client.readContract({ ...call, args: [address] })
  }

  async totalSupply(): Promise<bigint> {
    const call = { address: this.#token!, abi: TOKEN_ABI, functionName: 'totalSupply' } as const
    return await this.#client.readContract(call)
  }

  /** What the contract keeps of a channel. */
  async channel(contract: Hex, id: Hex): Promise<{ deposited: bigint; claimed: bigint }> {
    const call = { address: contract, abi: settlementChannelsAbi, functionName: 'channelOf' } as const
    return await this.#client.readContract({ ...call, args: [id] })
  }

  /** By the first of anvil's own accounts. */
  async #transact(call: { to?: Hex; data: Hex }) {
    const [from] = await this.#send<[Hex]>('eth_accounts', [])
    const hash = await this.#send<Hex>('eth_sendTransaction', [{ from, ...call }])
    return await this.#client.waitForTransactionReceipt({
      hash,
      timeout: MINED_DEADLINE_MS,
      pollingInterval: 100,
    })
  }

  async #send<T>(method: string, params: unknown[]): Promise<T> {
    return await this.#client.request<{ Method: string; Parameters: unknown[]; ReturnType: T }>({
      method,
      params,
    })
  }
}

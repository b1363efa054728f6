import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import type { Hex } from 'viem'
import { findAnvil } from '../../src/cli/settle-demo/find-anvil.ts'
import { freePort } from './free-port.ts'
import { waitFor } from './wait-for.ts'

const START_DEADLINE_MS = 15_000

/** Private keys of the first accounts that anvil funds: public knowledge, of its well-known mnemonic. */
export const ANVIL_KEYS: readonly Hex[] = [
  '0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80',
  '0x59c6995e998f97a5a0044966f0945389dc9e86dae88c7a8412f4603b6b78690d',
  '0x5de4111afa1a4b94908f83103eb1f1706367c2e68ca870fc3fb9a804cdab365a',
  '0x7c852118294e51e653712a81e05800f419141751be58f605c371e15141b007a6',
]

export interface AnvilOptions {
  readonly chainId?: number
  /** Mine only when told to. */
  readonly noMining?: boolean
}

/** A real EVM node on loopback, with a chain of its own; `safe` and `finalized` are one and two blocks behind. */
export class Anvil {
  readonly chainId: number
  readonly #port: number
  readonly #child: ChildProcess
  #nextId = 1

  private constructor(child: ChildProcess, port: number, chainId: number) {
    this.#child = child
    this.#port = port
    this.chainId = chainId
  }

  static async start(options: AnvilOptions = {}): Promise<Anvil> {
    const port = await freePort()
    const chainId = options.chainId ?? 31_337
    const args = ['--host', '127.0.0.1', '--port', String(port), '--chain-id', String(chainId)]
    args.push('--slots-in-an-epoch', '1', '--silent', ...(options.noMining === true ? ['--no-mining'] : []))
    const child = spawn(findAnvil(), args, { stdio: 'ignore' })
    const anvil = new Anvil(child, port, chainId)
    try {
      await waitFor(
        'anvil answers',
        async () => {
          if (child.exitCode !== null) throw new Error(`anvil ended with ${child.exitCode}`)
          return (await anvil.rpc('eth_chainId').catch(() => undefined)) !== undefined
        },
        START_DEADLINE_MS,
      )
      return anvil
    } catch (error) {
      await anvil.stop()
      throw error
    }
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port}`
  }

  async stop(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return
    this.#child.kill('SIGKILL')
    await once(this.#child, 'exit')
  }

  /** Any call; throws what the node refuses with. */
  async rpc<T = unknown>(method: string, ...params: unknown[]): Promise<T> {
    const id = this.#nextId++
    const response = await fetch(this.url, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ jsonrpc: '2.0', id, method, params }),
    })
    const answer = (await response.json()) as { result: T; error?: { message: string } }
    if (answer.error !== undefined) throw new Error(`${method}: ${answer.error.message}`)
    return answer.result
  }

  async mine(blocks = 1): Promise<void> {
    await this.rpc('anvil_mine', `0x${blocks.toString(16)}`)
  }

  /** Waits until what was sent is mined: with automine, that is some moments after the hash came back. */
  async drain(): Promise<void> {
    await waitFor('the pool is empty', async () => {
      return Number((await this.rpc<{ pending: string }>('txpool_status')).pending) === 0
    })
  }

  async setAutomine(isOn: boolean): Promise<void> {
    await this.rpc('evm_setAutomine', isOn)
  }

  /** Moves the chain's clock; the next block shows it. */
  async increaseTime(seconds: number): Promise<void> {
    await this.rpc('evm_increaseTime', seconds)
  }

  /** Replaces the newest `depth` blocks by empty ones. */
  async reorg(depth: number): Promise<void> {
    await this.rpc('anvil_reorg', depth, [])
  }

  async setBalance(address: Hex, wei: bigint): Promise<void> {
    await this.rpc('anvil_setBalance', address, `0x${wei.toString(16)}`)
  }

  async setNextBaseFee(wei: bigint): Promise<void> {
    await this.rpc('anvil_setNextBlockBaseFeePerGas', `0x${wei.toString(16)}`)
  }

  async setCode(address: Hex, code: Hex): Promise<void> {
    await this.rpc('anvil_setCode', address, code)
  }

  async balance(address: Hex): Promise<bigint> {
    return BigInt(await this.rpc<string>('eth_getBalance', address, 'latest'))
  }

  async transactionCount(address: Hex, at = 'latest'): Promise<number> {
    return Number(await this.rpc<string>('eth_getTransactionCount', address, at))
  }

  async blockNumber(): Promise<number> {
    return Number(await this.rpc<string>('eth_blockNumber'))
  }
}

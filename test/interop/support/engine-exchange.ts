import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createWalletClient, type Hex, http } from 'viem'
import { privateKeyToAccount } from 'viem/accounts'
import { foundry } from 'viem/chains'
import { expect } from 'vitest'
import artifact from '../../../settlement-engines/evm/contract/settlement-channels.json' with { type: 'json' }
import { EvmEngine } from '../../../settlement-engines/evm/engine/evm-engine.ts'
import { silentLogger } from '../../../src/lib/logger.ts'
import {
  type EngineHost,
  type HostOrders,
  type IncomingCredit,
  MessageRefusedError,
  PeerMessageError,
  type Quantity,
  type SettlementOrder,
} from '../../../src/settlement/engine.ts'
import { ANVIL_KEYS, Anvil } from '../../support/anvil.ts'
import { JsonRpcProxy } from '../../support/json-rpc-proxy.ts'
import { waitFor } from '../../support/wait-for.ts'
import { DELAY, type Json, MinimalSettlementPeer, Refusal } from './minimal-settlement-peer.ts'

export const PEER_KEY = ANVIL_KEYS[2]!
const ENGINE_KEY = ANVIL_KEYS[1]!
const ENGINE_CLAIM_KEY: Hex = `0x${'11'.repeat(32)}`
const PEER_CLAIM_KEY: Hex = `0x${'22'.repeat(32)}`
/** Of the engine for the peer. */
export const ACCOUNT = 'minimal'
/** Of the native coin. */
const SCALE = 18

/** An anvil with the contract, and the proxy through which the engine asks it. */
export class ExchangeChain {
  readonly anvil: Anvil
  readonly proxy: JsonRpcProxy
  readonly contract: Hex

  private constructor(anvil: Anvil, proxy: JsonRpcProxy, contract: Hex) {
    this.anvil = anvil
    this.proxy = proxy
    this.contract = contract
  }

  static async start(): Promise<ExchangeChain> {
    const anvil = await Anvil.start()
    const account = privateKeyToAccount(ANVIL_KEYS[0]!)
    const wallet = createWalletClient({ account, chain: foundry, transport: http(anvil.url) })
    const hash = await wallet.sendTransaction({ data: artifact.bytecode as Hex, gas: 5_000_000n })
    const { contractAddress } = await waitFor('the contract is deployed', async () => {
      return (
        (await anvil.rpc<{ contractAddress: Hex } | null>('eth_getTransactionReceipt', hash)) ?? undefined
      )
    })
    await anvil.mine(4)
    return new ExchangeChain(anvil, await JsonRpcProxy.start(anvil.url), contractAddress)
  }

  async stop(): Promise<void> {
    await this.proxy.stop()
    await this.anvil.stop()
  }
}

/** A real engine and, on the other side, the peer that was written from the page alone. */
export class EngineExchange implements EngineHost {
  readonly peer: MinimalSettlementPeer
  readonly credits = new Map<string, IncomingCredit>()
  readonly ends = new Map<string, string>()
  engine!: EvmEngine
  readonly #orders: SettlementOrder[] = []
  /** How far the engine's clock is ahead: it need not wait for its back-offs. */
  #aheadMs = 0
  readonly #chain: ExchangeChain
  #directory = ''

  readonly #accountOptions: Record<string, unknown>

  /** @param accountOptions `settlement.options` of the peer */
  constructor(chain: ExchangeChain, accountOptions: Record<string, unknown> = {}) {
    const { anvil, contract } = chain
    this.#chain = chain
    this.#accountOptions = accountOptions
    this.peer = new MinimalSettlementPeer({
      rpcUrl: anvil.url,
      contract,
      accountKey: PEER_KEY,
      signerKey: PEER_CLAIM_KEY,
      ilpAddress: 'test.minimal',
      peerIlpAddress: 'test.engine',
    })
    this.peer.carry = async (message) => {
      try {
        return await this.engine.receive(ACCOUNT, message)
      } catch (error) {
        if (error instanceof MessageRefusedError) throw new Refusal(error.code)
        throw error
      }
    }
  }

  /** With books that know nothing. */
  async start(): Promise<void> {
    this.#directory = mkdtempSync(join(tmpdir(), 'causeway-protocol-'))
    const [fundingKeyFile, claimKeyFile] = ['funding', 'claim'].map((name) =>
      join(this.#directory, name),
    ) as [string, string]
    writeFileSync(fundingKeyFile, ENGINE_KEY, { mode: 0o600 })
    writeFileSync(claimKeyFile, ENGINE_CLAIM_KEY, { mode: 0o600 })
    const bounds = { deposit: '1000000', maxDepositPerChannel: '5000000', totalBudget: '10000000' }
    this.engine = new EvmEngine(
      {
        rpcUrls: [this.#chain.proxy.url],
        chainId: this.#chain.anvil.chainId,
        contract: this.#chain.contract,
        keys: { fundingKeyFile, claimKeyFile },
        directory: join(this.#directory, 'books'),
        assets: { ETH: { token: 'native', claimAtValue: '900000', ...bounds } },
        settleDelaySeconds: DELAY,
        minSettleDelaySeconds: 3_600,
        acceptTransfers: true,
        pollMs: 0,
      },
      { host: this, clock: { now: () => Date.now() + this.#aheadMs }, logger: silentLogger },
    )
    await this.engine.start()
    const [ownAddress, peerAddress] = ['test.engine', 'test.minimal']
    await this.engine.openAccount({
      id: ACCOUNT,
      assetCode: 'ETH',
      assetScale: 9,
      ownAddress,
      peerAddress,
      options: this.#accountOptions,
    })
  }

  async stop(): Promise<void> {
    await this.engine.stop()
    rmSync(this.#directory, { recursive: true, force: true })
  }

  /** Lets the chain and the engine go on until something holds. */
  async until(what: string, check: () => boolean | Promise<boolean>): Promise<void> {
    await waitFor(
      what,
      async () => {
        this.#aheadMs += 5_000
        await this.#chain.anvil.mine()
        await this.engine.tick()
        return await check()
      },
      40_000,
    )
  }

  async finalize(): Promise<void> {
    await this.#chain.anvil.mine(4)
  }

  async settle(id: string, amount: bigint): Promise<void> {
    const order = { id, accountId: ACCOUNT, quantity: { amount, scale: SCALE } }
    this.#orders.push(order)
    await this.engine.settle(order)
  }

  /** A channel of the peer's that the engine has accepted. */
  async openChannel(amount = 1_000n): Promise<Hex> {
    await this.peer.hello()
    const channelId = await this.peer.open(amount)
    await this.finalize()
    expect(await this.peer.say({ type: 'channel', channelId })).toMatchObject({ channelId, cumulative: '0' })
    return channelId
  }

  /** The message is refused with the code, nothing is credited and no channel is changed. */
  async expectRefused(body: Json | string, code: string, head?: Json): Promise<void> {
    const before = this.#view()
    const answer = typeof body === 'string' ? await this.peer.sayRaw(body) : await this.peer.say(body, head)
    expect({ body, answer }).toEqual({ body, answer: code })
    await this.engine.tick()
    expect(this.#view()).toEqual(before)
  }

  get creditedSum(): bigint {
    return sumOf([...this.credits.values()]).amount
  }

  #view(): unknown {
    return { credits: [...this.credits.keys()], channels: this.engine.channels() }
  }

  async credit(credit: IncomingCredit): Promise<void> {
    this.credits.set(credit.id, credit)
  }

  async settled(orderId: string): Promise<void> {
    this.ends.set(orderId, 'settled')
  }

  async refused(orderId: string): Promise<void> {
    this.ends.set(orderId, 'refused')
  }

  async credited(prefix: string): Promise<Quantity> {
    return sumOf([...this.credits.values()].filter(({ id }) => id.startsWith(prefix)))
  }

  async orders(): Promise<HostOrders> {
    const settled = this.#orders.filter(({ id }) => this.ends.get(id) === 'settled')
    return { settled: sumOf(settled), open: this.#orders.filter(({ id }) => !this.ends.has(id)), offered: [] }
  }

  async send(_: string, message: Buffer): Promise<Buffer> {
    try {
      return await this.peer.answer(message)
    } catch (error) {
      throw new PeerMessageError(String(error), error instanceof Refusal ? error.code : undefined)
    }
  }
}

function sumOf(all: readonly { quantity: Quantity }[]): Quantity {
  return { amount: all.reduce((sum, { quantity }) => sum + quantity.amount, 0n), scale: SCALE }
}

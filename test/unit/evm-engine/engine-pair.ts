import { cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Abi, encodeDeployData, encodeFunctionData, type Hex } from 'viem'
import { privateKeyToAddress } from 'viem/accounts'
import artifact from '../../../settlement-engines/evm/contract/settlement-channels.json' with { type: 'json' }
import type { EngineStep } from '../../../settlement-engines/evm/engine/engine-core.ts'
import { EvmEngine } from '../../../settlement-engines/evm/engine/evm-engine.ts'
import type { EvmEngineOptions } from '../../../settlement-engines/evm/engine/evm-options.ts'
import { systemClock } from '../../../src/lib/clock.ts'
import { silentLogger } from '../../../src/lib/logger.ts'
import {
  type EngineAccount,
  type EngineHost,
  type HostOrders,
  type IncomingCredit,
  MessageRefusedError,
  PeerMessageError,
  type Quantity,
} from '../../../src/settlement/engine.ts'
import { ANVIL_KEYS, Anvil } from '../../support/anvil.ts'
import testContracts from '../../support/contracts/test-contracts.json' with { type: 'json' }
import { waitFor } from '../../support/wait-for.ts'

/** First account of anvil: pays for what tests deploy. */
export const RICH = privateKeyToAddress(ANVIL_KEYS[0]!)
const CLAIM_KEYS: readonly Hex[] = [`0x${'11'.repeat(32)}`, `0x${'22'.repeat(32)}`]
const TOKEN = testContracts.contracts.TestToken
export const ETHER = 10n ** 18n

/** An anvil with the channel contract and a token of 6 decimals. */
export class EngineChain {
  readonly anvil: Anvil
  readonly contract: Hex
  readonly token: Hex

  private constructor(anvil: Anvil, contract: Hex, token: Hex) {
    this.anvil = anvil
    this.contract = contract
    this.token = token
  }

  static async start(): Promise<EngineChain> {
    const anvil = await Anvil.start()
    const data = encodeDeployData({
      abi: TOKEN.abi as Abi,
      bytecode: TOKEN.bytecode as Hex,
      args: ['Test', 'TST', 6],
    })
    const contract = await deploy(anvil, artifact.bytecode as Hex)
    const token = await deploy(anvil, data)
    await anvil.mine(3)
    return new EngineChain(anvil, contract, token)
  }

  /** Resolves when it is in a block, or while blocks are made by hand, when it waits. */
  async send(to: Hex, data: Hex, from: Hex = RICH, value = 0n): Promise<Hex> {
    const hash = await this.anvil.rpc<Hex>('eth_sendTransaction', {
      from,
      to,
      data,
      value: `0x${value.toString(16)}`,
    })
    return hash
  }

  async payTokens(from: Hex, to: Hex, amount: bigint, token = this.token): Promise<void> {
    const args = [to, amount]
    await this.send(
      token,
      encodeFunctionData({ abi: TOKEN.abi as Abi, functionName: 'transfer', args }),
      from,
    )
  }

  async mint(to: Hex, amount: bigint, token = this.token): Promise<void> {
    const args = [to, amount]
    await this.send(token, encodeFunctionData({ abi: TOKEN.abi as Abi, functionName: 'mint', args }))
  }

  async tokenBalance(of: Hex, token = this.token): Promise<bigint> {
    const data = encodeFunctionData({ abi: TOKEN.abi as Abi, functionName: 'balanceOf', args: [of] })
    return BigInt(await this.anvil.rpc<string>('eth_call', { to: token, data }, 'latest'))
  }

  /** Another channel contract. @returns its address, in lower case */
  async deployChannels(): Promise<Hex> {
    return (await deploy(this.anvil, artifact.bytecode as Hex)).toLowerCase() as Hex
  }

  /** Another token of 6 decimals, or one of the hostile ones. @returns its address, in lower case */
  async deployToken(name: keyof typeof testContracts.contracts, args: unknown[] = []): Promise<Hex> {
    const { abi, bytecode } = testContracts.contracts[name]
    const data = encodeDeployData({ abi: abi as Abi, bytecode: bytecode as Hex, args })
    return (await deploy(this.anvil, data)).toLowerCase() as Hex
  }
}

async function deploy(anvil: Anvil, data: Hex): Promise<Hex> {
  const hash = await anvil.rpc<Hex>('eth_sendTransaction', { from: RICH, data, gas: '0x4c4b40' })
  return (await mined(anvil, hash)).contractAddress
}

async function mined(anvil: Anvil, hash: Hex): Promise<{ contractAddress: Hex }> {
  return await waitFor(
    'a receipt',
    async () =>
      (await anvil.rpc<{ contractAddress: Hex } | null>('eth_getTransactionReceipt', hash)) ?? undefined,
  )
}

/** One engine, its directory and what it told its node. */
export class Side implements EngineHost {
  readonly directory = mkdtempSync(join(tmpdir(), 'causeway-evm-engine-'))
  readonly credits = new Map<string, IncomingCredit>()
  readonly ends = new Map<string, 'settled' | 'refused'>()
  /** Orders of this node; sure: the engine has said that it has them. */
  readonly handed = new Map<string, { id: string; amount: bigint; isSure: boolean }>()
  readonly alarms: string[] = []
  readonly #chain: EngineChain
  readonly #index: number
  #change: Partial<EvmEngineOptions>
  other: Side | undefined
  /** What happens to a message on its way; throws what the sender sees. */
  onMessage: (message: { type: string } & Record<string, unknown>) => Promise<void> = async () => undefined
  refusesCredits = false
  /** Answers are lost while set. */
  losesAnswers = false
  /** How far the engine's clock is ahead. */
  aheadMs = 0
  /** The engine's options of the account. */
  accountOptions: Record<string, unknown> = {}
  step: ((step: EngineStep) => void) | undefined
  engine!: EvmEngine
  #backups = 0

  constructor(chain: EngineChain, index: number, change: Partial<EvmEngineOptions> = {}) {
    this.#chain = chain
    this.#index = index
    this.#change = change
    writeFileSync(join(this.directory, 'funding'), ANVIL_KEYS[index + 1]!, { mode: 0o600 })
    writeFileSync(join(this.directory, 'claim'), CLAIM_KEYS[index]!, { mode: 0o600 })
  }

  get address(): Hex {
    return privateKeyToAddress(ANVIL_KEYS[this.#index + 1]!).toLowerCase() as Hex
  }

  get claimKey(): Hex {
    return CLAIM_KEYS[this.#index]!
  }

  get options(): EvmEngineOptions {
    const { anvil, contract, token } = this.#chain
    const bounds = { deposit: '1000000', maxDepositPerChannel: '5000000', totalBudget: '10000000' }
    return {
      rpcUrls: [anvil.url],
      chainId: anvil.chainId,
      contract,
      keys: {
        fundingKeyFile: join(this.directory, 'funding'),
        claimKeyFile: join(this.directory, 'claim'),
      },
      directory: join(this.directory, 'books'),
      assets: {
        ETH: { token: 'native', claimAtValue: '900000', ...bounds },
        USD: { token, claimAtValue: '900000', ...bounds },
      },
      settleDelaySeconds: 7_200,
      minSettleDelaySeconds: 3_600,
      pollMs: 0,
      ...this.#change,
    }
  }

  async open(assetCode = 'ETH'): Promise<void> {
    const checkpoint = (step: EngineStep) => this.step?.(step)
    const clock = { now: () => systemClock.now() + this.aheadMs }
    const deps = { host: this, clock, logger: silentLogger, checkpoint }
    this.engine = new EvmEngine(this.options, {
      ...deps,
      alarm: (code) => void this.alarms.push(code),
    })
    await this.engine.start()
    await this.engine.openAccount(this.account(assetCode))
  }

  /** Other options from the next start on. */
  change(change: Partial<EvmEngineOptions>): void {
    this.#change = { ...this.#change, ...change }
  }

  /** With other options from now on, where some are given. */
  async restart(assetCode = 'ETH', change: Partial<EvmEngineOptions> = {}): Promise<void> {
    this.change(change)
    await this.engine.stop()
    await this.open(assetCode)
  }

  /** @returns a copy of the engine's books, as an operator makes it */
  async backUp(assetCode = 'ETH'): Promise<string> {
    const copy = join(this.directory, `backup-${++this.#backups}`)
    await this.engine.stop()
    cpSync(this.options.directory, copy, { recursive: true })
    await this.open(assetCode)
    return copy
  }

  /** The engine's books are those of the copy, or none; what the node knows stays. */
  async restore(copy?: string, assetCode = 'ETH'): Promise<void> {
    await this.engine.stop()
    rmSync(this.options.directory, { recursive: true, force: true })
    if (copy !== undefined) cpSync(copy, this.options.directory, { recursive: true })
    await this.open(assetCode)
  }

  async stop(): Promise<void> {
    await this.engine.stop()
    rmSync(this.directory, { recursive: true, force: true })
  }

  account(assetCode: string): EngineAccount {
    const names = ['test.one', 'test.two']
    const [ownAddress, peerAddress] = this.#index === 0 ? names : names.toReversed()
    return { id: 'peer', assetCode, assetScale: 9, ownAddress, peerAddress, options: this.accountOptions }
  }

  async settle(id: string, amount: bigint): Promise<void> {
    const scale = this.engine.scaleOf('peer')
    const order = this.handed.get(id) ?? { id, amount, isSure: false }
    this.handed.set(id, order)
    await this.engine.settle({ id, accountId: 'peer', quantity: { amount, scale } })
    order.isSure = true
  }

  get creditedSum(): bigint {
    return [...this.credits.values()].reduce((sum, { quantity }) => sum + quantity.amount, 0n)
  }

  async credit(credit: IncomingCredit): Promise<void> {
    if (this.refusesCredits) throw new Error('the node takes no credits now')
    const known = this.credits.get(credit.id)
    if (known !== undefined && known.quantity.amount !== credit.quantity.amount) {
      throw new Error('a credit with other fields')
    }
    this.credits.set(credit.id, credit)
  }

  async settled(id: string): Promise<void> {
    this.ends.set(id, 'settled')
  }

  async refused(id: string): Promise<void> {
    this.ends.set(id, 'refused')
  }

  /** What the node knows is what this side was told. */
  async credited(prefix: string): Promise<Quantity> {
    let amount = 0n
    let scale = 0
    for (const { id, quantity } of this.credits.values()) {
      if (!id.startsWith(prefix)) continue
      amount += quantity.amount
      scale = quantity.scale
    }
    return { amount, scale }
  }

  async orders(accountId: string): Promise<HostOrders> {
    const scale = this.engine.scaleOf(accountId)
    const listed = (state: 'open' | 'offered') =>
      [...this.handed.values()].filter(({ id, isSure }) => {
        return !this.ends.has(id) && isSure === (state === 'open')
      })
    const toOrder = ({ id, amount }: { id: string; amount: bigint }) => ({
      id,
      accountId,
      quantity: { amount, scale },
    })
    const settled = [...this.handed.values()]
      .filter(({ id }) => this.ends.get(id) === 'settled')
      .reduce((sum, { amount }) => sum + amount, 0n)
    return {
      settled: { amount: settled, scale },
      open: listed('open').map(toOrder),
      offered: listed('offered').map(toOrder),
    }
  }

  async send(_: string, message: Buffer): Promise<Buffer> {
    await this.onMessage(JSON.parse(message.toString()))
    try {
      const answer = await this.other!.engine.receive('peer', message)
      if (this.losesAnswers) throw new PeerMessageError('the answer was lost')
      return answer
    } catch (error) {
      if (error instanceof MessageRefusedError) throw new PeerMessageError(error.message, error.code)
      throw new PeerMessageError(String(error))
    }
  }
}

/** Two engines that are peers of each other, on one chain. */
export class EnginePair {
  readonly chain: EngineChain
  readonly payer: Side
  readonly payee: Side

  private constructor(chain: EngineChain, payer: Side, payee: Side) {
    this.chain = chain
    this.payer = payer
    this.payee = payee
  }

  static async start(
    chain: EngineChain,
    change: {
      payer?: Partial<EvmEngineOptions>
      payee?: Partial<EvmEngineOptions>
      asset?: string
      isTransfer?: boolean
    } = {},
  ): Promise<EnginePair> {
    const pair = new EnginePair(chain, new Side(chain, 0, change.payer), new Side(chain, 1, change.payee))
    pair.payer.other = pair.payee
    pair.payee.other = pair.payer
    if (change.isTransfer === true) {
      pair.payer.accountOptions = { mode: 'transfer', peerAddress: pair.payee.address }
      pair.payee.accountOptions = { mode: 'transfer', peerAddress: pair.payer.address }
    }
    await pair.payer.open(change.asset)
    await pair.payee.open(change.asset)
    return pair
  }

  async stop(): Promise<void> {
    await this.payer.stop()
    await this.payee.stop()
  }

  /** Lets the chain and both engines go on until something holds. */
  async until<T>(
    what: string,
    check: () => T | undefined | false | Promise<T | undefined | false>,
  ): Promise<T> {
    return await waitFor(
      what,
      async () => {
        await this.advance()
        return await check()
      },
      40_000,
    )
  }

  async advance(): Promise<void> {
    await this.chain.anvil.mine()
    await this.payer.engine.tick()
    await this.payee.engine.tick()
  }

  /** Sends a message as the payer's node would. @returns the answer, or the code of the refusal */
  async say(message: Record<string, unknown>): Promise<Record<string, unknown> | string> {
    const body = Buffer.from(JSON.stringify({ v: 1, id: 'test', ...message }))
    try {
      return JSON.parse((await this.payee.engine.receive('peer', body)).toString()) as Record<string, unknown>
    } catch (error) {
      if (error instanceof MessageRefusedError) return error.code
      throw error
    }
  }
}

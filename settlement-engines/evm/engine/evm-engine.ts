import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { type Hex, pad, zeroAddress } from 'viem'
import type { Clock } from '../../../src/lib/clock.ts'
import type { Logger } from '../../../src/lib/logger.ts'
import { SteadyClock } from '../../../src/lib/steady-clock.ts'
import {
  type ChannelOperations,
  type ChannelView,
  type EngineAccount,
  EngineConfigError,
  type EngineHost,
  type EngineStatement,
  EngineUnavailableError,
  type OrderVerdict,
  ResumeRefusedError,
  type SettlementEngine,
  type SettlementOrder,
} from '../../../src/settlement/engine.ts'
import { Chain } from '../chain.ts'
import type { ChainAlarmCode } from '../chain-alarm.ts'
import { ChainError } from '../chain-error.ts'
import { EngineStore } from '../engine-store.ts'
import { isCanonical, readHeads } from '../finality.ts'
import { LogPoller } from '../log-poller.ts'
import { KeyInUseError } from '../nonce-allocator.ts'
import { TxSender } from '../tx-sender.ts'
import { AccountBook, type AccountRecord } from './account-book.ts'
import { ChannelBook } from './channel-book.ts'
import { ChannelContract } from './channel-contract.ts'
import { CreditBook } from './credit-book.ts'
import { endByVerdict } from './end-by-verdict.ts'
import type { EngineAlarmCode, EngineStep } from './engine-core.ts'
import { prepareEngineTables } from './engine-tables.ts'
import {
  type EvmEngineOptions,
  type EvmSettings,
  parseAccountOptions,
  parseEngineOptions,
} from './evm-options.ts'
import { holdPlace } from './hold-place.ts'
import { isRefusal } from './is-refusal.ts'
import { type EngineKeys, loadKeys } from './load-keys.ts'
import { OrderBook } from './order-book.ts'
import { asStartError, RunningEngine } from './running-engine.ts'
import { statementOf } from './statement-of.ts'
import { type TokenAbility, TokenProbe } from './token-abilities.ts'
import { TransferBook } from './transfer-book.ts'
import { TRANSFER_EVENT } from './transfers.ts'

const ORDER_ID = /^[A-Za-z0-9_.:-]{1,128}$/
/** The contract counts in 128 bits. */
const AMOUNT_MAX = 2n ** 128n - 1n

export interface EvmEngineDeps {
  readonly host: EngineHost
  readonly clock: Clock
  readonly logger: Logger
  /** What an operator must see to; it is logged as well. */
  readonly alarm?: (code: EngineAlarmCode | ChainAlarmCode, fields: Record<string, unknown>) => void
  readonly checkpoint?: (step: EngineStep) => void
}

/**
 * Settles over an EVM chain: by vouchers in one-way payment channels (SettlementChannels), or by plain transfers of the
 * native coin and ERC-20 tokens. Peers speak the protocol of `docs/settlement-protocol.md`.
 */
export class EvmEngine implements SettlementEngine {
  readonly #settings: EvmSettings
  readonly #deps: EvmEngineDeps
  readonly #served = new Set<string>()
  #store: EngineStore | undefined
  #engine: RunningEngine | undefined

  /** @throws EngineConfigError for options that cannot work */
  constructor(options: EvmEngineOptions, deps: EvmEngineDeps) {
    this.#settings = parseEngineOptions(options)
    this.#deps = deps
  }

  get name(): string {
    return this.#settings.name
  }

  /** Of the funding key: where this side is paid, in lower case. */
  get address(): Hex {
    return this.#running().core.funding.address
  }

  async start(): Promise<void> {
    if (this.#engine !== undefined) return
    const { chainId, directory, keys, rpcUrls } = this.#settings
    const { logger } = this.#deps
    const loaded = await loadKeys(keys)
    const chain = new Chain({ urls: rpcUrls, chainId }, { logger })
    const store = new EngineStore(join(directory, 'evm-engine.db'))
    try {
      await chain.start()
      const contract = new ChannelContract({ address: this.#settings.contract }, { chain })
      await contract.check()
      this.#openStore(store)
      holdPlace(store, { chainId, contract: contract.address, address: loaded.funding.address })
      await this.#begin({ chain, store, contract, ...loaded })
    } catch (error) {
      this.#engine = undefined
      chain.stop()
      store.stop()
      if (error instanceof KeyInUseError) throw new EngineConfigError('keys.fundingKeyFile', error.message)
      throw asStartError(error)
    }
  }

  async stop(): Promise<void> {
    const [engine, store] = [this.#engine, this.#store]
    this.#engine = undefined
    this.#served.clear()
    await engine?.end()
    store?.stop()
  }

  async probe(signal: AbortSignal): Promise<void> {
    await this.#running().core.chain.probe(signal)
  }

  async openAccount(account: EngineAccount): Promise<void> {
    const { accounts, funding, scales, store } = this.#running().core
    const options = parseAccountOptions(account.options)
    const asset = this.#settings.assets[account.assetCode]
    if (asset === undefined) {
      throw new EngineConfigError(
        'assetCode',
        `the asset ${account.assetCode} of ${account.id} is not among the engine's assets: add it there`,
      )
    }
    const token = asset.token === 'native' ? zeroAddress : asset.token
    const known = accounts.find(account.id)
    if (known !== undefined && known.token !== token) {
      throw new EngineConfigError(
        'assetCode',
        `${account.id} has settled in another token: give it a new account`,
      )
    }
    const scale = scales.get(token)!
    if (known !== undefined && known.scale !== scale) {
      throw new EngineConfigError(
        'assetCode',
        `the node tells ${scale} decimals of ${asset.token}, which had ${known.scale}: check the RPC URLs`,
      )
    }
    store.transaction(() => {
      accounts.save({
        id: account.id,
        assetCode: account.assetCode,
        token,
        scale,
        mode: options.mode,
        ownAddress: account.ownAddress ?? '',
        peerAddress: account.peerAddress ?? '',
      })
      const { peerAddress } = options
      if (peerAddress === undefined) return
      const holder = accounts.peerAt(peerAddress)
      const isTaken = holder !== undefined && holder.accountId !== account.id
      const bound = accounts.peer(account.id)
      if (
        isTaken ||
        peerAddress === funding.address ||
        (bound ?? { address: peerAddress }).address !== peerAddress
      ) {
        throw new EngineConfigError(
          'peerAddress',
          `${peerAddress} cannot be the address of ${account.id}: it is our own, or another account's, or the account is bound to another`,
        )
      }
      if (bound === undefined) {
        accounts.savePeer({
          accountId: account.id,
          address: peerAddress,
          signer: undefined,
          minDelay: undefined,
        })
      }
    })
    this.#served.add(account.id)
    this.#running().serve(account.id)
  }

  async closeAccount(accountId: string): Promise<void> {
    this.#served.delete(accountId)
    this.#engine?.unserve(accountId)
  }

  scaleOf(accountId: string): number {
    return this.#account(accountId).scale
  }

  async settle(order: SettlementOrder): Promise<void> {
    const { checkpoint, orders, store } = this.#running().core
    const { accountId, id, quantity } = order
    const account = this.#account(accountId)
    if (!ORDER_ID.test(id)) throw new RangeError('an order id has 1 to 128 characters of A-Z a-z 0-9 - _ . :')
    if (quantity.scale !== account.scale || quantity.amount <= 0n || quantity.amount > AMOUNT_MAX) {
      throw new RangeError(`an order for ${accountId} is above 0, below 2^128, at scale ${account.scale}`)
    }
    const plain = { id, accountId, amount: quantity.amount }
    store.transaction(() => {
      if (orders.find(plain) === undefined) orders.add(plain)
    })
    checkpoint('order-stored')
    this.#running().wake()
  }

  async abandon({ accountId, id, quantity }: SettlementOrder, verdict: OrderVerdict): Promise<void> {
    endByVerdict(this.#running().core, { id, accountId, amount: quantity.amount }, verdict)
  }

  async receive(accountId: string, message: Buffer): Promise<Buffer> {
    return await this.#running().receive(this.#account(accountId), message)
  }

  async statement(accountId: string): Promise<EngineStatement> {
    return statementOf(this.#running().core, accountId)
  }

  channels(): readonly ChannelView[] {
    return this.#running().desk.views()
  }

  get operations(): ChannelOperations {
    return this.#running().desk
  }

  trouble(): string | undefined {
    return this.#engine?.trouble
  }

  /** For an operator who has made sure that nothing else uses the funding key any more: signs again after a halt. */
  async resume(): Promise<void> {
    const engine = this.#running()
    const { logger, sender } = engine.core
    try {
      if (!(await sender.resume())) {
        const { trouble = 'no trouble is known' } = engine
        throw new ResumeRefusedError(`the evm engine is not halted: there is nothing to resume (${trouble})`)
      }
    } catch (error) {
      if (!(error instanceof ChainError)) throw error
      const message = `the evm engine stays halted, resume it again later: ${error.message}`
      throw new EngineUnavailableError(message, { cause: error })
    }
    logger.warn('evm engine resumed by an operator')
  }

  /** One round over everything; for tests and for `pollMs` 0. */
  async tick(): Promise<void> {
    await this.#engine?.tick()
  }

  #openStore(store: EngineStore): void {
    const { directory } = this.#settings
    try {
      mkdirSync(directory, { recursive: true, mode: 0o700 })
      store.start()
      prepareEngineTables(store)
    } catch (error) {
      throw new EngineConfigError('directory', error instanceof Error ? error.message : String(error))
    }
    this.#store = store
  }

  async #begin(
    parts: { chain: Chain; store: EngineStore; contract: ChannelContract } & EngineKeys,
  ): Promise<void> {
    const { chain, claim, contract, funding, store } = parts
    const settings = this.#settings
    const { host, logger } = this.#deps
    const clock = new SteadyClock({ floorMs: store.latestMs() }, this.#deps)
    const alarm = (code: EngineAlarmCode | ChainAlarmCode, fields: Record<string, unknown>) => {
      logger.error('evm engine alarm', { code, ...fields })
      this.#deps.alarm?.(code, fields)
    }
    const { finality, maxFeePerGas, pollMs } = settings
    let engine: RunningEngine | undefined
    const sender = new TxSender(
      { finality, maxFeePerGas, pollMs },
      { chain, store, key: funding, clock, logger, alarm, onOutcome: (...told) => engine!.ended(...told) },
    )
    const own = { settings, chain, store, sender, contract, funding, clock, logger, alarm }
    const books = {
      accounts: new AccountBook({ store }),
      orders: new OrderBook({ store }),
      channels: new ChannelBook({ store }),
      credits: new CreditBook({ store }),
      transferBook: new TransferBook({ store }),
    }
    const domain = { chainId: settings.chainId, contract: settings.contract }
    const checkpoint = this.#deps.checkpoint ?? (() => undefined)
    const scales = await this.#readScales(contract)
    const abilities = await readAbilities(scales.keys(), new TokenProbe({ chain, key: funding }))
    const transfersFrom = await this.#firstTransferBlock(chain, store)
    const told = { scales, abilities, transfersFrom }
    engine = new RunningEngine({ ...own, ...books, domain, claimKey: claim, checkpoint, ...told }, { host })
    await sender.start()
    const poller = this.#makePoller(engine, alarm)
    this.#engine = engine
    engine.begin(poller)
  }

  async #readScales(contract: ChannelContract): Promise<ReadonlyMap<Hex, number>> {
    const scales = new Map<Hex, number>()
    for (const [code, { token }] of Object.entries(this.#settings.assets)) {
      const address = token === 'native' ? zeroAddress : token
      try {
        scales.set(address, await contract.scaleOf(address))
      } catch (error) {
        // What a node says instead of an answer tells nothing of the token.
        const isNone = error instanceof ChainError && error.code === 'wrong-code'
        if (!isNone && !isRefusal(error)) throw error
        throw new EngineConfigError(
          `assets.${code}.token`,
          `${token} does not tell its decimals: it is no ERC-20 token on this chain`,
        )
      }
    }
    return scales
  }

  /** Undefined when plain transfers to us do not count. */
  async #firstTransferBlock(chain: Chain, store: EngineStore): Promise<number | undefined> {
    const { acceptTransfers, finality, fromBlock } = this.#settings
    if (!acceptTransfers) return undefined
    if (fromBlock !== undefined) return fromBlock
    const { final } = await readHeads(chain, finality)
    // It is kept for good: a wrong one would leave payments unseen.
    if ((await isCanonical(chain, final)) !== true) {
      throw new ChainError('bad-answer', `no node knows the final block ${final.number}`)
    }
    return firstBlock(store, final.number)
  }

  #makePoller(
    engine: RunningEngine,
    alarm: (code: ChainAlarmCode, fields: Record<string, unknown>) => void,
  ): LogPoller | undefined {
    const { chain, logger, scales, store, transfersFrom } = engine.core
    const { finality, pollMs } = this.#settings
    const addresses = [...scales.keys()].filter((token) => token !== zeroAddress)
    if (transfersFrom === undefined || addresses.length === 0) return undefined
    // The node picks the transfers to us: others' are too many to read.
    const topics = [[TRANSFER_EVENT], null, [pad(engine.core.funding.address)]]
    return new LogPoller(
      { name: 'transfers', addresses, topics, fromBlock: transfersFrom, head: finality, pollMs },
      { chain, store, logger, alarm, onLog: (log) => engine.transfers.received(log) },
    )
  }

  #running(): RunningEngine {
    if (this.#engine === undefined) throw new EngineUnavailableError('the evm engine is not started')
    return this.#engine
  }

  #account(accountId: string): AccountRecord {
    const account = this.#served.has(accountId) ? this.#running().core.accounts.find(accountId) : undefined
    if (account === undefined) {
      throw new EngineUnavailableError(
        `the evm engine does not serve the account ${accountId} now: open it first`,
      )
    }
    return account
  }
}

async function readAbilities(
  tokens: Iterable<Hex>,
  probe: TokenProbe,
): Promise<ReadonlyMap<Hex, TokenAbility>> {
  const abilities = new Map<Hex, TokenAbility>()
  for (const token of tokens) {
    const ability = token === zeroAddress ? undefined : await probe.abilityOf(token)
    if (ability !== undefined) abilities.set(token, ability)
  }
  return abilities
}

/** Where reading began, for good: a crash before the first poll must not move it. */
function firstBlock(store: EngineStore, now: number): number {
  store.database.prepare("INSERT OR IGNORE INTO engine_first_blocks VALUES ('transfers', ?)").run(now)
  const row = store.database.prepare('SELECT block FROM engine_first_blocks').get() as { block: number }
  return row.block
}

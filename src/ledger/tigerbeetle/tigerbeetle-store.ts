import assert from 'node:assert'
import type { CreateTransferResult } from 'tigerbeetle-node'
import { CreateTransferStatus } from 'tigerbeetle-node'
import type { Clock } from '../../lib/clock.ts'
import type { Logger } from '../../lib/logger.ts'
import type { AccountBalance, HistoryEntry, HistoryQuery, LedgerAccountSpec, SelfCheck } from '../ledger.ts'
import type { LedgerStore, PacketBatch, SettlementOutcome, StoredAccount } from '../ledger-store.ts'
import { LedgerFaultError, RecordKind } from '../ledger-store.ts'
import { AccountBook } from './account-book.ts'
import { readBalance, readBalances, selfCheck } from './balances.ts'
import { BookHolder } from './book-holder.ts'
import { TransferCode } from './codes.ts'
import { openCreditLine, readCreditState, setCreditLine } from './credit-line.ts'
import { readHistory } from './history.ts'
import { chainLegs } from './packet-chains.ts'
import { bookRefusedPackets, chainStatus, type FulfilledPacket, isRefusal } from './refused-packets.ts'
import { SettlementBook } from './settlement-book.ts'
import { TigerBeetleConnection, type TigerBeetleConnectionOptions } from './tigerbeetle-connection.ts'
import { TransferBuffer } from './transfer-buffer.ts'
import { COMPENSATION_LEG, legOffset, PACKET_STRIDE, Phase, packetBaseId } from './transfer-ids.ts'

const TAKEOVER_WAIT_MS = 3_000
/** Transfers of one record at most. */
const RECORD_TRANSFERS_MAX = 2

export interface TigerBeetleStoreOptions extends TigerBeetleConnectionOptions {
  /** Keeps the books of several nodes apart in one cluster. Part of every id: never change it. Default ''. */
  namespace?: string
  /** How long a starting process waits for the last one, if it did not stop in order, to say it runs. Default 3,000 ms. */
  takeoverWaitMs?: number
}

/** A record and where its chain stands in the request. */
interface BatchChunk {
  /** Records of the batch, first and one past the last. */
  from: number
  to: number
  /** Length of each record's chain; 0 where there is nothing to book. */
  lengths: Uint8Array
}

/** The books of an exclusive ledger in a TigerBeetle cluster: packets are booked when they are fulfilled. */
export class TigerBeetleStore implements LedgerStore {
  readonly #namespace: string
  readonly #logger: Logger
  readonly #connection: TigerBeetleConnection
  readonly #holder: BookHolder
  readonly #accounts: AccountBook
  readonly #settlements: SettlementBook
  readonly #buffer = new TransferBuffer()

  constructor(options: TigerBeetleStoreOptions, deps: { clock: Clock; logger: Logger }) {
    this.#namespace = options.namespace ?? ''
    this.#logger = deps.logger
    this.#connection = new TigerBeetleConnection(options, deps)
    const takeoverWaitMs = options.takeoverWaitMs ?? TAKEOVER_WAIT_MS
    const holderOptions = { namespace: this.#namespace, takeoverWaitMs }
    this.#holder = new BookHolder(holderOptions, { ...deps, connection: this.#connection })
    this.#accounts = new AccountBook(this.#connection, this.#namespace)
    this.#settlements = new SettlementBook(this.#connection, this.#accounts, this.#namespace)
  }

  get epoch(): number {
    return this.#holder.epoch
  }

  async start(): Promise<void> {
    await this.#connection.start()
    try {
      await this.#holder.take()
    } catch (error) {
      this.#connection.stop()
      throw error
    }
  }

  async stop(): Promise<void> {
    try {
      await this.#holder.release()
    } catch (error) {
      this.#logger.warn('the books could not be released: the next start waits', { reason: String(error) })
    } finally {
      this.abort()
    }
  }

  /** Ends at once and in no order, as a crash would: calls under way fail, and the books are not released. */
  abort(): void {
    this.#holder.end()
    this.#connection.stop()
  }

  async probe(): Promise<void> {
    this.#holder.check()
    await this.#connection.probe()
  }

  async openAccount(spec: LedgerAccountSpec, index: number): Promise<StoredAccount> {
    this.#holder.check()
    const account = await this.#accounts.open(spec, index)
    await openCreditLine(this.#connection, this.#namespace, account, spec.creditLimit)
    const { balance, debitsPending, limit } = await readCreditState(this.#connection, account)
    return { balance, held: debitsPending, creditLimit: limit }
  }

  async setCreditLimit(index: number, limit: bigint): Promise<void> {
    this.#holder.check()
    await setCreditLine(this.#connection, this.#namespace, this.#accounts.at(index), limit)
  }

  async post(batch: PacketBatch): Promise<void> {
    this.#holder.check()
    const refused: FulfilledPacket[] = []
    let pending: Promise<void> | undefined
    for (let from = 0; from < batch.count; ) {
      const chunk = this.#fill(batch, from)
      from = chunk.to
      if (this.#buffer.count === 0) continue
      const sent = this.#connection.createTransfers(this.#buffer.take())
      // The next request is made while this one is under way; its failure is heard in any case.
      const done = sent.then((results) => this.#read(batch, chunk, results, refused))
      done.catch(() => undefined)
      await pending
      pending = done
    }
    await pending
    if (refused.length > 0) await bookRefusedPackets(this.#connection, refused, this.#logger)
  }

  async settleIn(id: string, index: number, engine: string, amount: bigint): Promise<boolean> {
    this.#holder.check()
    return await this.#settlements.settleIn(id, this.#accounts.at(index), engine, amount)
  }

  async holdSettlement(
    id: string,
    index: number,
    engine: string,
    amount: bigint,
    isNewTaken: boolean,
  ): Promise<void> {
    this.#holder.check()
    await this.#settlements.hold({ id, account: this.#accounts.at(index), engine, amount, isNewTaken })
  }

  async postSettlement(id: string): Promise<SettlementOutcome> {
    this.#holder.check()
    return await this.#settlements.resolve(id, 'post')
  }

  async voidSettlement(id: string): Promise<SettlementOutcome> {
    this.#holder.check()
    return await this.#settlements.resolve(id, 'void')
  }

  async balances(): Promise<AccountBalance[]> {
    return await readBalances(this.#connection, this.#accounts.directory)
  }

  async balance(index: number): Promise<AccountBalance> {
    return await readBalance(this.#connection, this.#accounts.at(index))
  }

  async history(query: HistoryQuery): Promise<HistoryEntry[]> {
    return await readHistory(this.#connection, this.#accounts.directory, query)
  }

  async selfCheck(): Promise<SelfCheck> {
    return await selfCheck(this.#connection, this.#accounts.directory)
  }

  /** Writes the chains of as many records from `from` on as fit in one request. */
  #fill(batch: PacketBatch, from: number): BatchChunk {
    const buffer = this.#buffer
    buffer.clear()
    const room = this.#connection.eventsMax - RECORD_TRANSFERS_MAX
    const lengths = new Uint8Array(Math.min(batch.count - from, room + RECORD_TRANSFERS_MAX))
    let baseId = packetBaseId(batch.epoch, batch.firstSequence + from)
    let at = from
    for (; at < batch.count && buffer.count <= room && at - from < lengths.length; at++) {
      lengths[at - from] = this.#addRecord(batch, at, baseId)
      baseId += PACKET_STRIDE
    }
    return { from, to: at, lengths }
  }

  #addRecord(batch: PacketBatch, at: number, baseId: bigint): number {
    const buffer = this.#buffer
    const payer = this.#accounts.at(batch.payer[at]!)
    const inAmount = batch.inAmount[at]!
    const start = buffer.count
    if (batch.kind[at] === RecordKind.compensation) {
      const id = baseId + legOffset(0, COMPENSATION_LEG, Phase.plain)
      const { ledger, loss } = payer.asset
      if (inAmount > 0n) buffer.add(id, loss, payer.clearing, inAmount, ledger, TransferCode.compensation)
    } else {
      let offset = legOffset(0, 0, Phase.plain)
      const payee = this.#accounts.at(batch.payee[at]!)
      for (const { debit, credit, amount, ledger } of chainLegs(
        payer,
        payee,
        inAmount,
        batch.outAmount[at]!,
      )) {
        if (amount > 0n) buffer.add(baseId + offset, debit, credit, amount, ledger, TransferCode.packet)
        offset += LEG_STRIDE
      }
    }
    return buffer.count === start ? 0 : buffer.endChain()
  }

  /** Every answer is read; packets that were refused for want of credit are collected. */
  #read(
    batch: PacketBatch,
    chunk: BatchChunk,
    results: CreateTransferResult[],
    refused: FulfilledPacket[],
  ): void {
    let start = 0
    for (let at = chunk.from; at < chunk.to; at++) {
      const length = chunk.lengths[at - chunk.from]!
      if (length === 0) continue
      const status = chainStatus(results, start, length)
      start += length
      if (status === CreateTransferStatus.created) continue
      if (batch.kind[at] !== RecordKind.packet || !isRefusal(status)) {
        const sequence = batch.firstSequence + at
        throw new LedgerFaultError(
          `packet ${sequence} of epoch ${batch.epoch} cannot be booked: ${CreateTransferStatus[status]}`,
        )
      }
      refused.push({
        baseId: packetBaseId(batch.epoch, batch.firstSequence + at),
        payer: this.#accounts.at(batch.payer[at]!),
        payee: this.#accounts.at(batch.payee[at]!),
        inAmount: batch.inAmount[at]!,
        outAmount: batch.outAmount[at]!,
      })
    }
    assert(start === results.length, 'every answer belongs to a chain')
  }
}

const LEG_STRIDE = 4n

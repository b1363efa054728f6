import type { CreateTransferResult } from 'tigerbeetle-node'
import { CreateTransferStatus } from 'tigerbeetle-node'
import type { Logger } from '../../lib/logger.ts'
import { LedgerFaultError, LedgerUnavailableError } from '../ledger-store.ts'
import type { BookAccount } from './account-book.ts'
import { TransferCode } from './codes.ts'
import { chainLegs } from './packet-chains.ts'
import type { TigerBeetleConnection } from './tigerbeetle-connection.ts'
import { TransferBuffer } from './transfer-buffer.ts'
import { legOffset, Phase, SHORTFALL_LEG } from './transfer-ids.ts'

/** From the second attempt on the credit covers the whole packet, so that a third is a bug. */
const ATTEMPTS_MAX = 4
/** Credit shortfall and at most two legs. */
const CHAIN_TRANSFERS_MAX = 3

const Status = CreateTransferStatus

/** A packet whose payee has fulfilled. */
export interface FulfilledPacket {
  baseId: bigint
  payer: BookAccount
  payee: BookAccount
  inAmount: bigint
  outAmount: bigint
}

/** What the cluster said to a chain: its first failure, or `created` when all of it is booked. */
export function chainStatus(
  results: CreateTransferResult[],
  start: number,
  length: number,
): CreateTransferStatus {
  const head = results[start]!.status
  // Ids of a chain's head belong to that chain alone, so a head that exists means that all of it does.
  if (head === Status.exists) return Status.created
  for (let at = start; at < start + length; at++) {
    const { status } = results[at]!
    if (status !== Status.created && status !== Status.linked_event_failed) return status
  }
  return head
}

/**
 * Books packets that the cluster refused because the payer's credit was lowered, or another process used it,
 * after the packet was let through: the payee has fulfilled, so the payer owes it. The credit line is extended by
 * what is missing, in the same chain. Ids that were refused are used up: each attempt has its own, in a fixed
 * order, so that repeating after an unknown outcome books nothing twice.
 */
export async function bookRefusedPackets(
  connection: TigerBeetleConnection,
  packets: FulfilledPacket[],
  logger: Logger,
): Promise<void> {
  let left = packets
  for (let attempt = 1; left.length > 0; attempt++) {
    if (attempt > ATTEMPTS_MAX) {
      throw new LedgerFaultError(`${left.length} fulfilled packets were refused ${ATTEMPTS_MAX} times`)
    }
    const refused: FulfilledPacket[] = []
    const perRequest = Math.max(1, Math.floor(connection.eventsMax / CHAIN_TRANSFERS_MAX))
    for (let at = 0; at < left.length; at += perRequest) {
      refused.push(...(await tryPackets(connection, left.slice(at, at + perRequest), attempt, logger)))
    }
    left = refused
  }
}

/** Returns those that were refused again. */
async function tryPackets(
  connection: TigerBeetleConnection,
  packets: FulfilledPacket[],
  attempt: number,
  logger: Logger,
): Promise<FulfilledPacket[]> {
  const room = await readRoom(connection, packets)
  const buffer = new TransferBuffer()
  const chains = packets.map((packet) => {
    const { payer, inAmount, baseId } = packet
    const left = room.get(payer.clearing) ?? 0n
    const cost = payer === packet.payee ? inAmount - packet.outAmount : inAmount
    const missing = attempt === 1 ? max(0n, cost - max(0n, left)) : cost
    room.set(payer.clearing, left + missing - cost)
    const raiseId = baseId + legOffset(attempt, SHORTFALL_LEG, Phase.plain)
    const { ledger } = payer.asset
    buffer.add(raiseId, payer.line, payer.clearing, missing, ledger, TransferCode.lineShortfall)
    for (const [leg, transfer] of chainLegs(payer, packet.payee, inAmount, packet.outAmount).entries()) {
      const id = baseId + legOffset(attempt, leg, Phase.plain)
      buffer.add(id, transfer.debit, transfer.credit, transfer.amount, transfer.ledger, TransferCode.packet)
    }
    return { packet, missing, length: buffer.endChain() }
  })
  const results = await connection.createTransfers(buffer.take())
  const refused: FulfilledPacket[] = []
  let at = 0
  for (const { packet, missing, length } of chains) {
    const status = chainStatus(results, at, length)
    at += length
    if (status === Status.created || status === Status.exists_with_different_amount) {
      const fields = { account: packet.payer.id, amount: String(missing) }
      logger.warn('credit line extended for a fulfilled packet', fields)
    } else if (isRefusal(status)) refused.push(packet)
    else throw new LedgerFaultError(`a fulfilled packet cannot be booked: ${Status[status]}`)
  }
  return refused
}

/** For want of credit, now or in an earlier call whose answer was lost. */
export function isRefusal(status: CreateTransferStatus): boolean {
  return status === Status.exceeds_credits || status === Status.id_already_failed
}

/** What each payer can still spend, by clearing account. */
async function readRoom(
  connection: TigerBeetleConnection,
  packets: FulfilledPacket[],
): Promise<Map<bigint, bigint>> {
  const ids = [...new Set(packets.map(({ payer }) => payer.clearing))]
  const accounts = await connection.lookupAccounts(ids)
  if (accounts.length !== ids.length) throw new LedgerUnavailableError('accounts are missing in the cluster')
  return new Map(
    accounts.map((account) => [
      account.id,
      account.credits_posted - account.debits_posted - account.debits_pending,
    ]),
  )
}

function max(a: bigint, b: bigint): bigint {
  return a > b ? a : b
}

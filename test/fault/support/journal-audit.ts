import type { JournalBatch, JournalRecord } from './ledger-journal.ts'
import type { FlowPacket, PacketFlow } from './packet-flow.ts'

/** What must never be. Counts over all rounds. */
export interface AuditCounts {
  /** Records in the books. */
  booked: number
  /** FULFILLs that reached a payer and are not in the books. */
  lost: number
  /** Packets that are in the books more than once. */
  doubled: number
  /** Records of packets that the payee never fulfilled, or with other amounts or accounts than those of the packet. */
  invented: number
  /** Batches whose sequence does not follow on the one before, or comes twice. */
  outOfSequence: number
  /** Packets in the books whose FULFILL never reached the payer: the crash came in between. */
  notRelayed: number
}

/** Sums of the records so far, per account in its own asset. */
export interface AuditSums {
  paid: Map<string, bigint>
  earned: Map<string, bigint>
  packets: Map<string, number>
}

/** Holds the packets in the books against what the two ends of every flow know, packet by packet. */
export class JournalAudit {
  readonly counts: AuditCounts = {
    booked: 0,
    lost: 0,
    doubled: 0,
    invented: 0,
    outOfSequence: 0,
    notRelayed: 0,
  }
  readonly sums: AuditSums = { paid: new Map(), earned: new Map(), packets: new Map() }
  readonly #flows: Map<string, PacketFlow>
  #lastId = 0n
  #epoch = 0n
  #nextSequence = 0

  constructor(flows: readonly PacketFlow[]) {
    this.#flows = new Map(flows.map((flow) => [flow.payerId, flow]))
  }

  /** Id of the last batch that was taken. */
  get lastId(): bigint {
    return this.#lastId
  }

  /** Takes the batches that were added since the last call, and compares them with what was heard since `begin`. */
  take(batches: readonly JournalBatch[]): void {
    const booked: FlowPacket[] = []
    for (const batch of batches) {
      this.#checkSequence(batch)
      for (const record of batch.records) this.#takeRecord(record, booked)
    }
    for (const packet of booked) {
      if (packet.outcome !== 'fulfilled') this.counts.notRelayed++
    }
    for (const flow of this.#flows.values()) {
      for (const packet of flow.heard) if (packet.booked === 0) this.counts.lost++
    }
  }

  #checkSequence({ id, epoch, firstSequence, records }: JournalBatch): void {
    if (epoch !== this.#epoch) this.#nextSequence = 0
    const follows = epoch >= this.#epoch && firstSequence === this.#nextSequence
    if (!follows) this.counts.outOfSequence++
    this.#lastId = id
    this.#epoch = epoch
    this.#nextSequence = firstSequence + records.length
  }

  #takeRecord(record: JournalRecord, booked: FlowPacket[]): void {
    const { payer, payee, inAmount, outAmount, compensation } = record
    this.counts.booked++
    increase(this.sums.paid, payer, inAmount)
    increase(this.sums.earned, payee, outAmount)
    this.sums.packets.set(payer, (this.sums.packets.get(payer) ?? 0) + 1)
    const flow = this.#flows.get(payer)
    const packet = flow?.sent.get(Number(inAmount))
    if (compensation || packet === undefined || flow?.payeeId !== payee) {
      this.counts.invented++
      return
    }
    if (!packet.fulfilled || packet.delivered !== outAmount) this.counts.invented++
    packet.booked++
    if (packet.booked > 1) this.counts.doubled++
    else booked.push(packet)
  }
}

function increase(sums: Map<string, bigint>, key: string, by: bigint): void {
  sums.set(key, (sums.get(key) ?? 0n) + by)
}

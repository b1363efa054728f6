import type { Ends } from '../subjects/subject.ts'

/** How packets are offered. All payers take turns. */
export type Pace =
  /** A new packet for each answer: so many in flight over all payers together. */
  | { kind: 'closed'; inFlight: number }
  /** So many packets a second over all payers together, whatever comes back. */
  | { kind: 'open'; packetsPerSecond: number }

export interface Window {
  pace: Pace
  /** Traffic before anything is measured. */
  warmUpMs: number
  measureMs: number
  /** Bytes of data in each Prepare, at least 32 (16 of them name the packet). */
  dataBytes: number
  /** Expiry of each Prepare, from its sending. */
  expiresInMs: number
  /** The connector's processes, whose CPU time and memory are read at both ends of the measurement. */
  pids: number[]
}

/** Figures between the two ends of the measurement. */
export interface WindowResult {
  seconds: number
  /** FULFILLs that the payers got and verified against the condition of their packet. */
  fulfilled: number
  /** Anything else, by ILP code; `timeout` where no answer came, `busy` where the wire took no more, `wrong` where the preimage was not the packet's. */
  failed: Record<string, number>
  /** Packets offered. */
  sent: number
  fulfilledByPayer: number[]
  sentByPayer: number[]
  /** FULFILLs since the load connected, whatever the window, warm-up and drain included: what the books must show. */
  everFulfilledByPayer: number[]
  /** Milliseconds from sending to verified FULFILL; in an open loop from the moment at which it was due. */
  latencyMs: { p50: number; p99: number; p999: number; max: number }
  connectorCpuUs: number
  loadCpuUs: number
  connectorRssBytes: number
}

/** To the load process, over its IPC channel; each is answered by one `LoadReply` with the same `id`. */
export type LoadRequest =
  | {
      id: number
      op: 'connect'
      ends: Omit<Ends, 'deliveredAmount'>
      amount: number
      deliveredAmount: number
    }
  | { id: number; op: 'run'; window: Window }
  | { id: number; op: 'disconnect' }

export type LoadReply =
  | { id: number; outcome: 'done'; result?: WindowResult }
  | { id: number; outcome: 'failed'; message: string }

/** One protocol's way to be payers and payees. Nothing in it may allocate per packet where its protocol allows. */
export interface Wire {
  /** Connects every payer and payee; resolves once packets can flow. */
  connect(): Promise<void>
  /**
   * Sends a Prepare for payer `payer`. The bytes are the caller's again on return. `tag` comes back with the answer;
   * it is unique among packets in flight (an unsigned 32-bit number). False when the wire takes no packet now: nothing
   * will be heard of this one.
   */
  send(payer: number, tag: number, packet: Buffer, start: number, end: number, expiresAtMs: number): boolean
  close(): Promise<void>
}

/** Ears of the load. Buffers are valid during the call. */
export interface WireEvents {
  /** A payee got a Prepare; the returned FULFILL (whole buffer, copied by the wire before the next call) answers it. */
  prepare(payee: number, packet: Buffer, start: number, end: number): Buffer
  /** A payer got the answer of a packet. */
  answer(payer: number, tag: number, packet: Buffer, start: number, end: number): void
  /** No answer will come. */
  failed(payer: number, tag: number): void
}

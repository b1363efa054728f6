import assert from 'node:assert'

/** Bytes per chunk; larger than any ILP packet, small enough that a half-used one costs little. */
const CHUNK_BYTES = 256 * 1024
/** Empty chunks kept for reuse: 16 MiB. */
const SPARE_CHUNKS_MAX = 64

interface Chunk {
  buffer: Buffer
  used: number
  holders: number
}

/**
 * Packets that wait for the ledger, by slot. Bytes are appended to shared chunks, and a chunk is reused once nobody
 * holds a part of it: no allocation per packet. Bounded by the number of slots times the largest packet.
 */
export class HeldBytes {
  readonly #chunk: (Chunk | undefined)[]
  readonly #start: Uint32Array
  readonly #end: Uint32Array
  readonly #spare: Chunk[] = []
  #current: Chunk = newChunk()
  #bytes = 0

  constructor(capacity: number) {
    this.#chunk = new Array<Chunk | undefined>(capacity).fill(undefined)
    this.#start = new Uint32Array(capacity)
    this.#end = new Uint32Array(capacity)
  }

  /** Bytes held now. */
  get bytes(): number {
    return this.#bytes
  }

  hold(slot: number, source: Buffer, start: number, end: number): void {
    assert(this.#chunk[slot] === undefined, 'slot already holds a packet')
    const length = end - start
    if (this.#current.used + length > CHUNK_BYTES) this.#current = this.#spare.pop() ?? newChunk()
    const chunk = this.#current
    source.copy(chunk.buffer, chunk.used, start, end)
    this.#chunk[slot] = chunk
    this.#start[slot] = chunk.used
    this.#end[slot] = chunk.used + length
    chunk.used += length
    chunk.holders++
    this.#bytes += length
  }

  buffer(slot: number): Buffer {
    return this.#chunk[slot]!.buffer
  }
  start(slot: number): number {
    return this.#start[slot]!
  }
  end(slot: number): number {
    return this.#end[slot]!
  }

  /** Harmless when the slot holds nothing. */
  drop(slot: number): void {
    const chunk = this.#chunk[slot]
    if (chunk === undefined) return
    this.#chunk[slot] = undefined
    this.#bytes -= this.#end[slot]! - this.#start[slot]!
    if (--chunk.holders > 0) return
    chunk.used = 0
    if (chunk !== this.#current && this.#spare.length < SPARE_CHUNKS_MAX) this.#spare.push(chunk)
  }
}

function newChunk(): Chunk {
  return { buffer: Buffer.allocUnsafeSlow(CHUNK_BYTES), used: 0, holders: 0 }
}

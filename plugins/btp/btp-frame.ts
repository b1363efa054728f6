/** Frame types of RFC 23; 3, 4 and 5 are retired. */
export const BtpType = { response: 1, error: 2, message: 6, transfer: 7 } as const

/** What a sub-protocol entry holds (RFC 23). */
export const ContentType = { octets: 0, text: 1, json: 2 } as const

/** Sub-protocol entries of one frame that are looked at: more than any known peer sends. */
const ENTRIES_MAX = 64
const NAME_LENGTH_MAX = 255

/** A BTP frame seen in its own buffer: offsets instead of copies. Filled again and again by `readBtpFrame`. */
export interface BtpFrameView {
  type: number
  requestId: number
  /** Whether the first sub-protocol entry, which alone decides the meaning, is named `ilp`. */
  isIlp: boolean
  /** The data of the first entry; empty when there is none. */
  dataStart: number
  dataEnd: number
  entryCount: number
  /** Where the count of the entries stands. */
  entriesOffset: number
  /** One past the body; what comes after it belongs to nobody and is ignored (RFC 30, extension rule). */
  bodyEnd: number
  /** For an Error: where its three-character code stands, and its name. */
  codeOffset: number
  nameStart: number
  nameEnd: number
}

export function emptyBtpFrameView(): BtpFrameView {
  return {
    type: 0,
    requestId: 0,
    isIlp: false,
    dataStart: 0,
    dataEnd: 0,
    entryCount: 0,
    entriesOffset: 0,
    bodyEnd: 0,
    codeOffset: 0,
    nameStart: 0,
    nameEnd: 0,
  }
}

/** Where the contents found by `readLength` begin and end. One for all: it is read at once after each call. */
const span = { start: 0, end: 0 }

/**
 * Reads an OER length (RFC 30) and puts the contents' place into `span`. False when the length or the contents
 * pass `end`. Longer forms than needed are taken, leading zeros too.
 */
function readLength(buffer: Buffer, offset: number, end: number): boolean {
  if (offset >= end) return false
  let length = buffer[offset++]!
  if (length > 0x7f) {
    let count = length & 0x7f
    if (count === 0 || count > 8 || end - offset < count) return false
    for (length = 0; count > 0; count--) {
      length = length * 256 + buffer[offset++]!
    }
  }
  if (length > end - offset) return false
  span.start = offset
  span.end = offset + length
  return true
}

/** Fills `view` from the bytes of one WebSocket message. False when they are not a readable BTP frame. Never throws. */
export function readBtpFrame(buffer: Buffer, start: number, end: number, view: BtpFrameView): boolean {
  if (end - start < 6) return false
  view.type = buffer[start]!
  view.requestId = buffer.readUInt32BE(start + 1)
  if (!readLength(buffer, start + 5, end)) return false
  let offset = span.start
  const bodyEnd = span.end
  view.bodyEnd = bodyEnd
  switch (view.type) {
    case BtpType.response:
    case BtpType.message:
      break
    case BtpType.transfer:
      offset += 8
      break
    case BtpType.error:
      view.codeOffset = offset
      offset += 3
      if (!readLength(buffer, offset, bodyEnd)) return false
      view.nameStart = span.start
      view.nameEnd = span.end
      if (!readLength(buffer, span.end, bodyEnd) || !readLength(buffer, span.end, bodyEnd)) return false
      offset = span.end
      break
    default:
      return false
  }
  return readEntries(buffer, offset, bodyEnd, view)
}

function readEntries(buffer: Buffer, offset: number, end: number, view: BtpFrameView): boolean {
  view.entriesOffset = offset
  view.isIlp = false
  view.dataStart = view.dataEnd = end
  if (!readLength(buffer, offset, end) || span.start === span.end) return false
  let count = 0
  for (let index = span.start; index < span.end; index++) {
    count = count * 256 + buffer[index]!
    if (count > ENTRIES_MAX) return false
  }
  view.entryCount = count
  let next = span.end
  for (let entry = 0; entry < count; entry++) {
    if (!readLength(buffer, next, end)) return false
    const { start, end: nameEnd } = span
    if (nameEnd - start > NAME_LENGTH_MAX || nameEnd >= end) return false
    if (!readLength(buffer, nameEnd + 1, end)) return false
    if (entry === 0) {
      view.isIlp =
        nameEnd - start === 3 &&
        buffer[start] === 0x69 &&
        buffer[start + 1] === 0x6c &&
        buffer[start + 2] === 0x70
      view.dataStart = span.start
      view.dataEnd = span.end
    }
    next = span.end
  }
  return true
}

/** One sub-protocol entry, copied out of its frame. */
export interface BtpEntry {
  name: string
  contentType: number
  data: Buffer
}

/** The entries of a frame that `readBtpFrame` found readable. Not for the packet path. */
export function btpEntries(buffer: Buffer, view: BtpFrameView): BtpEntry[] {
  const entries: BtpEntry[] = []
  readLength(buffer, view.entriesOffset, view.bodyEnd)
  let next = span.end
  for (let entry = 0; entry < view.entryCount; entry++) {
    readLength(buffer, next, view.bodyEnd)
    const name = buffer.toString('latin1', span.start, span.end)
    const contentType = buffer[span.end]!
    readLength(buffer, span.end + 1, view.bodyEnd)
    entries.push({ name, contentType, data: Buffer.from(buffer.subarray(span.start, span.end)) })
    next = span.end
  }
  return entries
}

/** Whether two entries have one name, which RFC 23 forbids. */
export function hasDuplicateNames(buffer: Buffer, view: BtpFrameView): boolean {
  if (view.entryCount < 2) return false
  const names = btpEntries(buffer, view).map((entry) => entry.name)
  return new Set(names).size !== names.length
}

function lengthLength(length: number): number {
  if (length < 0x80) return 1
  return length < 0x100 ? 2 : 3
}

function writeLength(buffer: Buffer, offset: number, length: number): number {
  if (length < 0x80) {
    buffer[offset] = length
    return offset + 1
  }
  if (length < 0x100) {
    buffer[offset] = 0x81
    buffer[offset + 1] = length
    return offset + 2
  }
  buffer[offset] = 0x82
  buffer[offset + 1] = length >>> 8
  buffer[offset + 2] = length & 0xff
  return offset + 3
}

/** Body bytes before the packet's own length: entry count (2), name (4), content type (1). */
const ILP_ENTRY_HEAD = [1, 1, 3, 0x69, 0x6c, 0x70, ContentType.octets] as const

/** Length of the frame that carries an ILP packet of so many bytes (below 65,536). */
export function ilpFrameLength(packetLength: number): number {
  const bodyLength = ILP_ENTRY_HEAD.length + lengthLength(packetLength) + packetLength
  return 5 + lengthLength(bodyLength) + bodyLength
}

/** Writes the frame that carries the bytes `start` to `end` of `packet` as `ilp` entry; `ilpFrameLength` bytes. */
export function writeIlpFrame(
  target: Buffer,
  targetOffset: number,
  type: number,
  requestId: number,
  packet: Buffer,
  start: number,
  end: number,
): void {
  const packetLength = end - start
  let offset = targetOffset
  target[offset] = type
  target[offset + 1] = requestId >>> 24
  target[offset + 2] = requestId >>> 16
  target[offset + 3] = requestId >>> 8
  target[offset + 4] = requestId
  offset = writeLength(target, offset + 5, ILP_ENTRY_HEAD.length + lengthLength(packetLength) + packetLength)
  target[offset] = 1
  target[offset + 1] = 1
  target[offset + 2] = 3
  target[offset + 3] = 0x69
  target[offset + 4] = 0x6c
  target[offset + 5] = 0x70
  target[offset + 6] = ContentType.octets
  offset = writeLength(target, offset + 7, packetLength)
  packet.copy(target, offset, start, end)
}

function varOctets(data: Buffer): Buffer {
  const prefixed = Buffer.allocUnsafe(lengthLength(data.length) + data.length)
  data.copy(prefixed, writeLength(prefixed, 0, data.length))
  return prefixed
}

function frame(type: number, requestId: number, body: Buffer): Buffer {
  const head = Buffer.allocUnsafe(5)
  head[0] = type
  head.writeUInt32BE(requestId, 1)
  return Buffer.concat([head, varOctets(body)])
}

function entryList(entries: readonly BtpEntry[]): Buffer {
  const parts: Buffer[] = [Buffer.from([1, entries.length])]
  for (const { name, contentType, data } of entries) {
    parts.push(varOctets(Buffer.from(name, 'latin1')), Buffer.from([contentType]), varOctets(data))
  }
  return Buffer.concat(parts)
}

/** A Message or Response with these entries (at most 255). */
export function encodeBtpEntries(
  type: typeof BtpType.message | typeof BtpType.response,
  requestId: number,
  entries: readonly BtpEntry[],
): Buffer {
  return frame(type, requestId, entryList(entries))
}

/** Error codes of RFC 23 that we send. */
export const BtpErrorCode = {
  unreachable: { code: 'T00', name: 'UnreachableError' },
  notAccepted: { code: 'F00', name: 'NotAcceptedError' },
  invalidFields: { code: 'F01', name: 'InvalidFieldsError' },
} as const
export type BtpErrorCode = (typeof BtpErrorCode)[keyof typeof BtpErrorCode]

/** An Error frame; `text` says why, for people. */
export function encodeBtpError(
  requestId: number,
  error: BtpErrorCode,
  text: string,
  nowMs: number,
  entries: readonly BtpEntry[] = [],
): Buffer {
  const body = Buffer.concat([
    Buffer.from(error.code, 'latin1'),
    varOctets(Buffer.from(error.name, 'latin1')),
    varOctets(Buffer.from(generalizedTime(nowMs), 'latin1')),
    varOctets(Buffer.from(text, 'utf8')),
    entryList(entries),
  ])
  return frame(BtpType.error, requestId, body)
}

/**
 * GeneralizedTime with exactly three decimals, as all known peers read it. RFC 30 forbids trailing zeros, so a last
 * digit of 0 is written as 1: no peer acts on the time of an error.
 */
function generalizedTime(nowMs: number): string {
  const ms = nowMs % 10 === 0 ? nowMs + 1 : nowMs
  return new Date(ms).toISOString().replace(/[-T:]/g, '')
}

import { isAddressAt } from './address.ts'
import {
  isCanonicalLength,
  LENGTH_MALFORMED,
  lengthOf,
  lengthSize,
  readLength,
} from './length-determinant.ts'
import {
  ADDRESS_LENGTH_MAX,
  DATA_LENGTH_MAX,
  type FulfillView,
  MESSAGE_LENGTH_MAX,
  PacketType,
  type PrepareView,
  type RejectView,
} from './packet-view.ts'
import { readTimestamp, TIMESTAMP_LENGTH } from './timestamp.ts'
import { readUInt64 } from './uint64.ts'

const AMOUNT_LENGTH = 8
const CONDITION_LENGTH = 32
const FULFILLMENT_LENGTH = 32
const CODE_LENGTH = 3
const PREPARE_FIXED_LENGTH = AMOUNT_LENGTH + TIMESTAMP_LENGTH + CONDITION_LENGTH
const NO_BYTES = Buffer.alloc(0)

/** A view that shows nothing yet. */
export function createPrepareView(): PrepareView {
  return {
    buffer: NO_BYTES,
    start: 0,
    end: 0,
    amount: 0,
    amountOffset: 0,
    expiresAtMs: 0,
    expiryOffset: 0,
    conditionOffset: 0,
    destinationOffset: 0,
    destinationLength: 0,
    dataOffset: 0,
    dataLength: 0,
    canonical: true,
  }
}

/** A view that shows nothing yet. */
export function createFulfillView(): FulfillView {
  return {
    buffer: NO_BYTES,
    start: 0,
    end: 0,
    fulfillmentOffset: 0,
    dataOffset: 0,
    dataLength: 0,
    canonical: true,
  }
}

/** A view that shows nothing yet. */
export function createRejectView(): RejectView {
  return {
    buffer: NO_BYTES,
    start: 0,
    end: 0,
    codeOffset: 0,
    triggeredByOffset: 0,
    triggeredByLength: 0,
    messageOffset: 0,
    messageLength: 0,
    dataOffset: 0,
    dataLength: 0,
    canonical: true,
  }
}

/**
 * Fills `view` with the Prepare in `buffer[start, end)` (RFC 27). Nothing is copied or allocated (but for
 * a bigint when the amount is 2^53 or more). Longer lengths than needed and bytes after the last known
 * field, or after the contents, are accepted and make the view not canonical; `view.end` is the end of the
 * contents, so bytes after them are not part of it.
 * @returns undefined, or what is wrong as a constant text fit for an F01 message; the view is then void
 */
export function parsePrepare(
  buffer: Buffer,
  start: number,
  end: number,
  view: PrepareView,
): string | undefined {
  if (!(start >= 0 && start < end && end <= buffer.length))
    return 'the packet is empty or its bounds are wrong'
  if (buffer[start] !== PacketType.prepare) return 'not an ILP Prepare: the type byte is not 12'
  const contents = readLength(buffer, start + 1, end)
  if (contents < 0) return contentsError(contents)
  const amountOffset = start + 1 + lengthSize(contents)
  const contentsEnd = amountOffset + lengthOf(contents)
  const expiryOffset = amountOffset + AMOUNT_LENGTH
  const conditionOffset = expiryOffset + TIMESTAMP_LENGTH
  const destinationAt = amountOffset + PREPARE_FIXED_LENGTH
  if (destinationAt > contentsEnd)
    return 'the contents end before the amount, expiresAt and executionCondition do'

  const expiresAtMs = readTimestamp(buffer, expiryOffset)
  if (Number.isNaN(expiresAtMs)) return 'expiresAt is not a valid time of 17 digits'

  const destination = readLength(buffer, destinationAt, contentsEnd)
  if (destination < 0) {
    return destination === LENGTH_MALFORMED
      ? 'the length of destination is malformed'
      : 'destination runs past the end of the contents'
  }
  const destinationOffset = destinationAt + lengthSize(destination)
  const destinationLength = lengthOf(destination)
  if (!isAddressAt(buffer, destinationOffset, destinationLength)) {
    return destinationLength > ADDRESS_LENGTH_MAX
      ? 'destination is longer than 1023 bytes'
      : 'destination is not a valid ILP address'
  }

  const dataAt = destinationOffset + destinationLength
  const data = readLength(buffer, dataAt, contentsEnd)
  if (data < 0) return dataError(data)
  if (lengthOf(data) > DATA_LENGTH_MAX) return 'data is longer than 32767 bytes'
  const dataOffset = dataAt + lengthSize(data)

  view.buffer = buffer
  view.start = start
  view.end = contentsEnd
  view.amount = readUInt64(buffer, amountOffset)
  view.amountOffset = amountOffset
  view.expiresAtMs = expiresAtMs
  view.expiryOffset = expiryOffset
  view.conditionOffset = conditionOffset
  view.destinationOffset = destinationOffset
  view.destinationLength = destinationLength
  view.dataOffset = dataOffset
  view.dataLength = lengthOf(data)
  view.canonical =
    isCanonicalLength(contents & destination & data) &&
    dataOffset + lengthOf(data) === contentsEnd &&
    contentsEnd === end
  return undefined
}

/**
 * Fills `view` with the Fulfill in `buffer[start, end)` (RFC 27), with the tolerance of {@link parsePrepare}.
 * @returns undefined, or what is wrong as a constant text; the view is then void
 */
export function parseFulfill(
  buffer: Buffer,
  start: number,
  end: number,
  view: FulfillView,
): string | undefined {
  if (!(start >= 0 && start < end && end <= buffer.length))
    return 'the packet is empty or its bounds are wrong'
  if (buffer[start] !== PacketType.fulfill) return 'not an ILP Fulfill: the type byte is not 13'
  const contents = readLength(buffer, start + 1, end)
  if (contents < 0) return contentsError(contents)
  const fulfillmentOffset = start + 1 + lengthSize(contents)
  const contentsEnd = fulfillmentOffset + lengthOf(contents)
  const dataAt = fulfillmentOffset + FULFILLMENT_LENGTH
  if (dataAt > contentsEnd) return 'the contents end before the fulfillment does'

  const data = readLength(buffer, dataAt, contentsEnd)
  if (data < 0) return dataError(data)
  if (lengthOf(data) > DATA_LENGTH_MAX) return 'data is longer than 32767 bytes'
  const dataOffset = dataAt + lengthSize(data)

  view.buffer = buffer
  view.start = start
  view.end = contentsEnd
  view.fulfillmentOffset = fulfillmentOffset
  view.dataOffset = dataOffset
  view.dataLength = lengthOf(data)
  view.canonical =
    isCanonicalLength(contents & data) && dataOffset + lengthOf(data) === contentsEnd && contentsEnd === end
  return undefined
}

/**
 * Fills `view` with the Reject in `buffer[start, end)` (RFC 27), with the tolerance of {@link parsePrepare}.
 * The code is any three ASCII bytes, known or not: a connector passes codes on. triggeredBy is an ILP
 * address or empty (RFC 30 allows length 0). The message is taken as bytes, valid UTF-8 or not: it is for
 * people, is relayed untouched, and no money depends on it.
 * @returns undefined, or what is wrong as a constant text; the view is then void
 */
export function parseReject(
  buffer: Buffer,
  start: number,
  end: number,
  view: RejectView,
): string | undefined {
  if (!(start >= 0 && start < end && end <= buffer.length))
    return 'the packet is empty or its bounds are wrong'
  if (buffer[start] !== PacketType.reject) return 'not an ILP Reject: the type byte is not 14'
  const contents = readLength(buffer, start + 1, end)
  if (contents < 0) return contentsError(contents)
  const codeOffset = start + 1 + lengthSize(contents)
  const contentsEnd = codeOffset + lengthOf(contents)
  const triggeredByAt = codeOffset + CODE_LENGTH
  if (triggeredByAt > contentsEnd) return 'the contents end before the code does'
  if ((buffer[codeOffset]! | buffer[codeOffset + 1]! | buffer[codeOffset + 2]!) > 0x7f)
    return 'code is not three ASCII characters'

  const triggeredBy = readLength(buffer, triggeredByAt, contentsEnd)
  if (triggeredBy < 0) {
    return triggeredBy === LENGTH_MALFORMED
      ? 'the length of triggeredBy is malformed'
      : 'triggeredBy runs past the end of the contents'
  }
  const triggeredByOffset = triggeredByAt + lengthSize(triggeredBy)
  const triggeredByLength = lengthOf(triggeredBy)
  if (triggeredByLength !== 0 && !isAddressAt(buffer, triggeredByOffset, triggeredByLength))
    return 'triggeredBy is neither empty nor a valid ILP address'

  const messageAt = triggeredByOffset + triggeredByLength
  const message = readLength(buffer, messageAt, contentsEnd)
  if (message < 0) {
    return message === LENGTH_MALFORMED
      ? 'the length of message is malformed'
      : 'message runs past the end of the contents'
  }
  if (lengthOf(message) > MESSAGE_LENGTH_MAX) return 'message is longer than 8191 bytes'
  const messageOffset = messageAt + lengthSize(message)

  const dataAt = messageOffset + lengthOf(message)
  const data = readLength(buffer, dataAt, contentsEnd)
  if (data < 0) return dataError(data)
  if (lengthOf(data) > DATA_LENGTH_MAX) return 'data is longer than 32767 bytes'
  const dataOffset = dataAt + lengthSize(data)

  view.buffer = buffer
  view.start = start
  view.end = contentsEnd
  view.codeOffset = codeOffset
  view.triggeredByOffset = triggeredByOffset
  view.triggeredByLength = triggeredByLength
  view.messageOffset = messageOffset
  view.messageLength = lengthOf(message)
  view.dataOffset = dataOffset
  view.dataLength = lengthOf(data)
  view.canonical =
    isCanonicalLength(contents & triggeredBy & message & data) &&
    dataOffset + lengthOf(data) === contentsEnd &&
    contentsEnd === end
  return undefined
}

function contentsError(code: number): string {
  return code === LENGTH_MALFORMED
    ? 'the length of the contents is malformed'
    : 'the contents run past the end of the packet'
}

function dataError(code: number): string {
  return code === LENGTH_MALFORMED
    ? 'the length of data is malformed'
    : 'data runs past the end of the contents'
}

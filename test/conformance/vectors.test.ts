import { describe, expect, it } from 'vitest'
import { isAddress } from '../../src/ilp/address.ts'
import { encodeFulfill, encodePrepare, encodeReject } from '../../src/ilp/encode-packet.ts'
import {
  decodeIldcpReply,
  encodeIldcpReply,
  encodeIldcpRequest,
  PEER_PROTOCOL_FULFILLMENT,
} from '../../src/ilp/ildcp.ts'
import {
  isCanonicalLength,
  LENGTH_PAST_END,
  lengthOf,
  readLength,
  writeLength,
} from '../../src/ilp/length-determinant.ts'
import { OerReader, OerWriter } from '../../src/ilp/oer.ts'
import {
  createFulfillView,
  createPrepareView,
  createRejectView,
  parseFulfill,
  parsePrepare,
  parseReject,
} from '../../src/ilp/parse-packet.ts'
import { writeTimestamp } from '../../src/ilp/timestamp.ts'
import addresses from './fixtures/addresses.json' with { type: 'json' }
import timestamps from './fixtures/fixed-timestamps.json' with { type: 'json' }
import ildcp from './fixtures/ildcp.json' with { type: 'json' }
import packets from './fixtures/ilp-packets.json' with { type: 'json' }
import lengths from './fixtures/oer-lengths.json' with { type: 'json' }

/** Public test vectors; each fixture file names its source. */

const hex = (text: string) => Buffer.from(text, 'hex')
const base64 = (text: string) => Buffer.from(text, 'base64')

describe('interledgerjs ilp-packet examples', () => {
  it('Prepare reads and writes as in example01', () => {
    const { binary, json } = packets.prepare
    const packet = hex(binary)
    const view = createPrepareView()
    expect(parsePrepare(packet, 0, packet.length, view)).toBeUndefined()
    const fields = {
      amount: Number(json.amount),
      expiresAtMs: Date.parse(json.expiresAt),
      condition: base64(json.executionCondition),
      destination: json.destination,
      data: base64(json.data),
    }
    expect(view).toMatchObject({ amount: fields.amount, expiresAtMs: fields.expiresAtMs, canonical: true })
    expect(packet.subarray(view.conditionOffset, view.conditionOffset + 32)).toEqual(fields.condition)
    const destinationEnd = view.destinationOffset + view.destinationLength
    expect(packet.toString('latin1', view.destinationOffset, destinationEnd)).toBe(fields.destination)
    expect(packet.subarray(view.dataOffset, view.dataOffset + view.dataLength)).toEqual(fields.data)
    expect(encodePrepare(fields).toString('hex')).toBe(binary)
  })

  it('Fulfill reads and writes as in example01', () => {
    const { binary, json } = packets.fulfill
    const packet = hex(binary)
    const view = createFulfillView()
    expect(parseFulfill(packet, 0, packet.length, view)).toBeUndefined()
    expect(view.canonical).toBe(true)
    const fulfillment = packet.subarray(view.fulfillmentOffset, view.fulfillmentOffset + 32)
    expect(fulfillment).toEqual(base64(json.fulfillment))
    expect(packet.subarray(view.dataOffset, view.dataOffset + view.dataLength)).toEqual(base64(json.data))
    expect(encodeFulfill(base64(json.fulfillment), base64(json.data)).toString('hex')).toBe(binary)
  })

  it('Reject reads and writes as in example01', () => {
    const { binary, json } = packets.reject
    const packet = hex(binary)
    const view = createRejectView()
    expect(parseReject(packet, 0, packet.length, view)).toBeUndefined()
    expect(view.canonical).toBe(true)
    const text = (offset: number, length: number) => packet.toString('utf8', offset, offset + length)
    expect(text(view.codeOffset, 3)).toBe(json.code)
    expect(text(view.triggeredByOffset, view.triggeredByLength)).toBe(json.triggeredBy)
    expect(text(view.messageOffset, view.messageLength)).toBe(json.message)
    expect(packet.subarray(view.dataOffset, view.dataOffset + view.dataLength)).toEqual(base64(json.data))
    expect(encodeReject(json.code, json.triggeredBy, json.message, base64(json.data)).toString('hex')).toBe(
      binary,
    )
  })
})

describe('RFC 30 fixed-length timestamps', () => {
  /** A Prepare with `text` where 17 digits belong; what is too long or short shifts the rest. */
  function parseWithTimestamp(text: string) {
    const contents = Buffer.concat([
      Buffer.alloc(8),
      Buffer.from(text, 'latin1'),
      Buffer.alloc(32, 0xff),
      hex('03672e6100'),
    ])
    const packet = Buffer.concat([Buffer.of(12, contents.length), contents])
    const view = createPrepareView()
    return { error: parsePrepare(packet, 0, packet.length, view), view }
  }

  it('all 17 vectors are here', () => {
    expect(timestamps.valid.length + timestamps.invalid.length).toBe(17)
  })

  it.each(timestamps.valid)('$text is $iso', ({ text, iso }) => {
    const { error, view } = parseWithTimestamp(text)
    expect(error).toBeUndefined()
    expect(new Date(view.expiresAtMs).toISOString()).toBe(iso)
    const digits = Buffer.alloc(17)
    writeTimestamp(digits, 0, Date.parse(iso))
    expect(digits.toString('latin1')).toBe(text)
  })

  it.each(timestamps.invalid)('$text is refused: $reason', ({ text }) => {
    expect(parseWithTimestamp(text).error).toBeDefined()
  })
})

describe('RFC 30 length determinants', () => {
  it.each(lengths.vectors)('$hex is $value', ({ hex: text, value }) => {
    const length = Number(value)
    if (length > 2 ** 26) {
      // No buffer here holds that many bytes: the length is understood and found to be past the end.
      expect(readLength(hex(text), 0, text.length / 2)).toBe(LENGTH_PAST_END)
      return
    }
    const buffer = Buffer.concat([hex(text), Buffer.alloc(length)])
    const packed = readLength(buffer, 0, buffer.length)
    expect(lengthOf(packed)).toBe(length)
    expect(isCanonicalLength(packed)).toBe(true)
    const written = Buffer.alloc(text.length / 2)
    expect(writeLength(written, 0, length)).toBe(written.length)
    expect(written.toString('hex')).toBe(text)
  })
})

describe('RFC 30 addresses', () => {
  it.each(addresses.vectors)('$address', ({ hex: text, address }) => {
    const read = new OerReader(hex(text)).readVarOctets(1023, 'address').toString('latin1')
    expect(read).toBe(address)
    expect(isAddress(read)).toBe(true)
    expect(new OerWriter().writeVarOctets(Buffer.from(address)).finish().toString('hex')).toBe(text)
  })
})

describe('interledgerjs ilp-protocol-ildcp examples', () => {
  it('the request is the same bytes', () => {
    expect(encodeIldcpRequest(Date.parse(ildcp.request.expiresAt)).toString('hex')).toBe(ildcp.request.hex)
  })

  it('the reply reads and writes the same', () => {
    const packet = hex(ildcp.reply.hex)
    const view = createFulfillView()
    expect(parseFulfill(packet, 0, packet.length, view)).toBeUndefined()
    const reply = decodeIldcpReply(packet.subarray(view.dataOffset, view.dataOffset + view.dataLength))
    const { clientAddress, assetScale, assetCode } = ildcp.reply
    expect(reply).toEqual({ address: clientAddress, assetScale, assetCode })
    expect(encodeFulfill(PEER_PROTOCOL_FULFILLMENT, encodeIldcpReply(reply)).toString('hex')).toBe(
      ildcp.reply.hex,
    )
  })
})

import { describe, expect, it } from 'vitest'
import { FrameReader, type FrameSink } from '../../../plugins/btp/frame-reader.ts'
import { pick, randomBytes, randomChunks, randomInt, seededRandom, testSeed } from './random.ts'
import { WS_MESSAGE_LENGTH_MAX as MESSAGE_LENGTH_MAX, wsHears } from './ws-receiver.ts'

/** Control frames are part of the record, so that their place between fragments is compared too. */
type Heard = string[]

/** What our reader hears. */
function ours(chunks: Buffer[], masked: boolean): Heard {
  const heard: Heard = []
  const sink: FrameSink = {
    message: (buffer, start, end, isBinary) =>
      heard.push(`${isBinary ? 'binary' : 'text'} ${buffer.toString('hex', start, end)}`),
    ping: (buffer, start, end) => heard.push(`ping ${buffer.toString('hex', start, end)}`),
    closeFrame: (code) => heard.push(`close ${code}`),
    violation: (code) => heard.push(`violation ${code}`),
  }
  const reader = new FrameReader({ masked, messageLengthMax: MESSAGE_LENGTH_MAX }, sink)
  for (const chunk of chunks) reader.push(Buffer.from(chunk))
  return heard
}

interface FrameSpec {
  opcode: number
  payload: Buffer
  isFinal?: boolean
  masked: boolean
  /** Added to the first byte. */
  reservedBits?: number
  /** Uses a longer length than needed: 16 or 64 bits. */
  lengthBits?: 16 | 64
}

function encode(
  random: () => number,
  { opcode, payload, isFinal = true, masked, reservedBits = 0, lengthBits }: FrameSpec,
): Buffer {
  const { length } = payload
  const head = [(isFinal ? 0x80 : 0) | reservedBits | opcode]
  const maskBit = masked ? 0x80 : 0
  if (lengthBits === 64 || length > 0xffff) {
    const long = Buffer.alloc(8)
    long.writeBigUInt64BE(BigInt(length))
    head.push(maskBit | 127, ...long)
  } else if (lengthBits === 16 || length > 125) {
    head.push(maskBit | 126, length >> 8, length & 0xff)
  } else {
    head.push(maskBit | length)
  }
  if (!masked) return Buffer.concat([Buffer.from(head), payload])
  const key = randomBytes(random, 4)
  const body = Buffer.from(payload.map((byte, index) => byte ^ key[index & 3]!))
  return Buffer.concat([Buffer.from(head), key, body])
}

const SIZES = [0, 1, 2, 3, 4, 5, 63, 124, 125, 126, 127, 128, 500, 4_095, 65_535, 65_536]

/** A message in one or more fragments, with pings and pongs between them. */
function randomMessage(random: () => number, masked: boolean): Buffer[] {
  const isText = random() < 0.15
  const size = pick(random, SIZES)
  const payload = isText ? Buffer.alloc(size, 'a') : randomBytes(random, size)
  const pieces = random() < 0.5 ? 1 : randomInt(random, 2, 6)
  const frames: Buffer[] = []
  let offset = 0
  for (let piece = 0; piece < pieces; piece++) {
    const isFinal = piece === pieces - 1
    const end = isFinal ? size : randomInt(random, offset, size)
    const opcode = piece > 0 ? 0 : isText ? 1 : 2
    frames.push(encode(random, { opcode, payload: payload.subarray(offset, end), isFinal, masked }))
    offset = end
    while (random() < 0.2) {
      frames.push(
        encode(random, {
          opcode: pick(random, [9, 10]),
          payload: randomBytes(random, randomInt(random, 0, 125)),
          masked,
        }),
      )
    }
  }
  return frames
}

describe.each([
  { role: 'server', masked: true },
  { role: 'client', masked: false },
])('frame reader as $role', ({ masked }) => {
  it(`hears what ws hears in any fragmentation and chunking (seed ${testSeed})`, async () => {
    const random = seededRandom(testSeed)
    let messages = 0
    for (let round = 0; round < 40; round++) {
      const frames = Array.from({ length: randomInt(random, 1, 8) }, () =>
        randomMessage(random, masked),
      ).flat()
      const chunks = randomChunks(random, Buffer.concat(frames), pick(random, [20, 1_500, 65_536]))
      const expected = await wsHears(chunks, masked)
      expect(ours(chunks, masked), `round ${round}`).toEqual(expected)
      messages += expected.filter((each) => each.startsWith('binary')).length
    }
    expect(messages).toBeGreaterThan(50)
  })

  it(`breaks off where ws breaks off when bytes are changed (seed ${testSeed})`, async () => {
    const random = seededRandom(testSeed)
    const violations = new Set<string>()
    for (let round = 0; round < 1_000; round++) {
      const frames = Array.from({ length: 3 }, () => {
        const size = pick(random, [0, 1, 5, 125, 126, 300])
        const opcode = pick(random, [0, 1, 2, 2, 2, 3, 8, 9, 10, 11])
        return encode(random, {
          opcode,
          payload: Buffer.alloc(size, random() < 0.9 ? 0x61 : 0xff),
          isFinal: random() < 0.7,
          masked: random() < 0.95 ? masked : !masked,
          reservedBits: random() < 0.05 ? pick(random, [0x10, 0x20, 0x40]) : 0,
        })
      })
      const bytes = Buffer.concat(frames)
      if (random() < 0.5) bytes[randomInt(random, 0, Math.min(bytes.length - 1, 20))] = random() * 256
      const chunks = randomChunks(random, bytes, pick(random, [2, 50, 65_536]))
      const expected = await wsHears(chunks, masked)
      expect(ours(chunks, masked), `round ${round}: ${bytes.toString('hex')}`).toEqual(expected)
      for (const each of expected) if (each.startsWith('violation')) violations.add(each)
    }
    expect([...violations]).toEqual(expect.arrayContaining(['violation 1002', 'violation 1007']))
  })

  it('takes lengths written longer than needed, as ws does', async () => {
    const random = seededRandom(1)
    for (const lengthBits of [16, 64] as const) {
      const bytes = encode(random, { opcode: 2, payload: Buffer.from('abc'), masked, lengthBits })
      expect(ours([bytes], masked)).toEqual(['binary 616263'])
      expect(await wsHears([bytes], masked)).toEqual(['binary 616263'])
    }
  })

  it('hears nothing more after a close frame', async () => {
    const random = seededRandom(1)
    const close = encode(random, { opcode: 8, payload: Buffer.from([0x03, 0xe8]), masked })
    const message = encode(random, { opcode: 2, payload: Buffer.from('abc'), masked })
    expect(ours([Buffer.concat([message, close, message])], masked)).toEqual(['binary 616263', 'close 1000'])
  })

  it.each([
    [
      'in one frame',
      (random: () => number) => [
        encode(random, { opcode: 2, payload: Buffer.alloc(MESSAGE_LENGTH_MAX + 1), masked }),
      ],
    ],
    [
      'in fragments',
      (random: () => number) => [
        encode(random, { opcode: 2, payload: Buffer.alloc(MESSAGE_LENGTH_MAX), isFinal: false, masked }),
        encode(random, { opcode: 0, payload: Buffer.alloc(1), masked }),
      ],
    ],
  ])('refuses a message that is too long %s, on sight of its length', async (_name, frames) => {
    const bytes = Buffer.concat(frames(seededRandom(1)))
    // The last byte of the payload has not come yet.
    const chunks = [bytes.subarray(0, bytes.length - 1)]
    expect(ours(chunks, masked)).toEqual(['violation 1009'])
    expect(await wsHears(chunks, masked)).toEqual(['violation 1009'])
  })
})

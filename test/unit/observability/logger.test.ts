import { Writable } from 'node:stream'
import { describe, expect, it } from 'vitest'
import { createLogger } from '../../../src/observability/logger.ts'
import { collectLines } from '../../contract/collect-lines.ts'

const CANARY = 'canary-7c1f0e9b2d'
const JWT = 'eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJjYW5hcnkifQ.c2lnbmF0dXJlLWNhbmFyeQ'

function setUp(format: 'json' | 'text' = 'json') {
  const { stream, lines } = collectLines()
  const logger = createLogger({ level: 'info', format, nodeId: 'node-1' }, stream)
  return { logger, lines, last: () => JSON.parse(lines().at(-1) ?? '{}') as Record<string, unknown> }
}

describe('lines', () => {
  it('are JSON objects with time, level, message, node and fields, those of parents included', () => {
    const { logger, last } = setUp()
    logger
      .child({ peer: 'alice' })
      .child({ link: 'btp' })
      .warn('link lost', { attempt: 3, amount: 2n ** 64n })
    expect(last()).toEqual({
      timestamp: expect.stringMatching(/^\d{4}-.*Z$/),
      level: 'warn',
      message: 'link lost',
      nodeId: 'node-1',
      peer: 'alice',
      link: 'btp',
      attempt: 3,
      amount: '18446744073709551616',
    })
  })

  it('keep their own level, message and time whatever the fields are called', () => {
    const { logger, last } = setUp()
    logger.info('true message', { message: 'forged', level: 'error', timestamp: 'never' })
    expect(last()).toMatchObject({ message: 'true message', level: 'info' })
    expect(last().timestamp).not.toBe('never')
  })

  it('stay one line in text, whatever they carry', () => {
    const { logger, lines } = setUp('text')
    logger.info('first\nsecond \u001b[2J', { reason: 'a\nb', 'na\nme': 1 })
    expect(lines()).toHaveLength(1)
    expect(lines()[0]).toMatch(/INFO {2}first second {2}\[2J reason="a\\nb" na me=1$/)
  })

  it.each(['json', 'text'] as const)('are at most 16 kB long in %s', (format) => {
    const { logger, lines } = setUp(format)
    const fields = Object.fromEntries(
      Array.from({ length: 90 }, (_, index) => [`f${index}`, 'ü'.repeat(4_000)]),
    )
    logger.info('big', fields)
    expect(Buffer.byteLength(lines()[0] ?? '')).toBeLessThanOrEqual(16_000)
    expect(lines()[0]).toContain('big')
  })
})

describe('levels', () => {
  it('change at run time, for children that exist already too', () => {
    const { logger, lines } = setUp()
    const child = logger.child({ part: 'x' })
    child.debug('hidden')
    logger.setLevel('debug')
    child.debug('shown')
    logger.setLevel('error')
    child.warn('hidden')
    child.error('shown')
    expect(lines().map((line) => (JSON.parse(line) as { message: string }).message)).toEqual([
      'shown',
      'shown',
    ])
    expect(logger.level()).toBe('error')
  })

  it('refuse words that are none', () => {
    const { logger } = setUp()
    expect(() => logger.setLevel('verbose')).toThrow(/error, warn, info, debug/)
    expect(logger.level()).toBe('info')
  })
})

describe('secrets', () => {
  const NAMES = [
    ...[
      'token',
      'authToken',
      'secret',
      'shared_secret',
      'Authorization',
      'password',
      'passphrase',
      'preimage',
    ],
    ...[
      'macaroon',
      'adminMacaroon',
      'privateKey',
      'key',
      'keys',
      'api-key',
      'cookie',
      'seed',
      'mnemonic',
      'jwt',
    ],
    ...['fulfillment', 'credentials', 'xprv'],
  ]

  it.each(['json', 'text'] as const)(
    'never show by the name of their field, at any depth, in %s',
    (format) => {
      const { logger, lines } = setUp(format)
      for (const name of NAMES) {
        logger.info('planted', { [name]: CANARY })
        logger.info('planted', { peer: { link: [{ [name]: { inner: CANARY } }] } })
        logger.info('planted', { map: new Map([[name, CANARY]]) })
        logger.child({ [name]: CANARY }).info('planted')
      }
      expect(lines()).toHaveLength(NAMES.length * 4)
      expect(lines().join('\n')).not.toContain(CANARY)
      expect(lines().join('\n')).toContain('[redacted]')
    },
  )

  it('never show by their shape in texts, errors and causes', () => {
    const { logger, lines } = setUp()
    const texts = [
      `failed with Bearer ${CANARY}`,
      `ws://alice:${CANARY}@peer.example/btp`,
      `btp+wss://:${CANARY}@peer.example and https://${CANARY}@peer.example/x`,
      `GET /pay?token=${CANARY}&x=1`,
      `{"password":"${CANARY}"}`,
      `password: ${CANARY}`,
      `api_key=${CANARY}`,
      `shared_secret:${CANARY}`,
      `secret: ${CANARY}`,
      `secret=${CANARY}`,
      `Authorization: Bearer ${CANARY}`,
      `-----BEGIN EC PRIVATE KEY-----\n${CANARY}\n-----END EC PRIVATE KEY-----`,
    ]
    for (const text of texts) {
      logger.info(text)
      logger.info('field', { text })
      logger.error('error', { error: new Error(text, { cause: new Error(text) }) })
    }
    logger.info('jwt', { text: `sent ${JWT} to peer` })
    expect(lines().join('\n')).not.toContain(CANARY)
    expect(lines().join('\n')).not.toContain(JWT)
  })

  it('are told from what only looks alike: references, public keys, hashes', () => {
    const { logger, last } = setUp()
    const hash = 'ab'.repeat(32)
    logger.info('open', {
      publicKey: 'pk',
      transaction: hash,
      text: 'password: secret:alice',
      idempotencyKey: 'i',
    })
    expect(last()).toMatchObject({
      publicKey: 'pk',
      transaction: hash,
      text: 'password: secret:alice',
      idempotencyKey: 'i',
    })
  })

  it('in bytes are never shown', () => {
    const { logger, lines, last } = setUp()
    logger.info('bytes', { packet: Buffer.from(CANARY), view: new Uint8Array(5) })
    expect(lines().join()).not.toContain(CANARY)
    expect(last()).toMatchObject({ packet: `[${CANARY.length} bytes]`, view: '[5 bytes]' })
  })
})

describe('a logger never throws', () => {
  it('on fields that cannot be read or written', () => {
    const { logger, last } = setUp()
    const circular: Record<string, unknown> = { name: 'loop' }
    circular.self = circular
    const hostile = {
      get bad() {
        throw new Error('getter')
      },
      toJSON() {
        throw new Error('toJSON')
      },
    }
    const proxy = new Proxy(
      {},
      {
        ownKeys() {
          throw new Error('proxy')
        },
      },
    )
    logger.info('odd', {
      circular,
      hostile,
      proxy,
      nan: Number.NaN,
      symbol: Symbol('s'),
      fn: () => 1,
      none: undefined,
    })
    expect(last()).toMatchObject({
      message: 'odd',
      hostile: { bad: '[unreadable]' },
      proxy: '[unreadable]',
      nan: 'NaN',
    })
    expect(() => logger.info(undefined as unknown as string)).not.toThrow()
  })

  it('when its stream is broken', () => {
    const broken = new Writable({
      write(_chunk, _encoding, done) {
        done(new Error('EPIPE'))
      },
    })
    const logger = createLogger({ level: 'info', format: 'json', nodeId: 'n' }, broken)
    for (let index = 0; index < 10; index++) expect(() => logger.error('into the void')).not.toThrow()
  })

  it('nor fills the memory when its reader has stopped: it drops lines and says how many', () => {
    let release: (() => void) | undefined
    const kept: string[] = []
    const stalled = new Writable({
      write(chunk: Buffer, _encoding, done) {
        kept.push(chunk.toString())
        release = done
      },
    })
    const logger = createLogger({ level: 'info', format: 'json', nodeId: 'n' }, stalled)
    for (let index = 0; index < 3_000; index++) logger.info('line', { text: 'x'.repeat(3_900) })
    expect(stalled.writableLength).toBeLessThan(9 * 1024 * 1024)
    for (let index = 0; index < 4_000 && stalled.writableLength > 0; index++) release?.()
    logger.info('after')
    const dropped = kept.map((line) => (JSON.parse(line) as { linesDropped?: number }).linesDropped ?? 0)
    expect(dropped.at(-1)).toBeGreaterThan(0)
    expect(kept.length + (dropped.at(-1) ?? 0)).toBe(3_001)
  })
})

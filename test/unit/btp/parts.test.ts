import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { acceptFor } from '../../../plugins/btp/handshake.ts'
import { parseBtpOptions, parseLinkOptions } from '../../../plugins/btp/options.ts'
import { networkOf, PendingSockets } from '../../../plugins/btp/pending-sockets.ts'
import { reconnectDelay } from '../../../plugins/btp/reconnect-delay.ts'
import { hashToken, TokenIndex } from '../../../plugins/btp/token-index.ts'
import { LinkConfigError } from '../../../src/peers/link.ts'

const TOKEN = 'a-token-for-tests-0123456789abcdef'
const strict = { allowShortTokens: false }

describe('the WebSocket handshake', () => {
  it('answers the example of RFC 6455, 1.3', () => {
    expect(acceptFor('dGhlIHNhbXBsZSBub25jZQ==')).toBe('s3pPLMBiTxaQ9kYGzzhZRbK+xOo=')
  })
})

describe('reconnectDelay', () => {
  const bounds = { msMin: 500, msMax: 60_000 }

  it('doubles up to the longest wait, whatever the count', () => {
    const waits = [0, 1, 2, 6, 7, 100, Number.MAX_SAFE_INTEGER].map((failures) =>
      reconnectDelay(failures, bounds, () => 1 - Number.EPSILON),
    )
    expect(waits).toEqual([500, 1_000, 2_000, 32_000, 60_000, 60_000, 60_000])
  })

  it('takes off up to a half at random', () => {
    expect(reconnectDelay(0, bounds, () => 0)).toBe(250)
    expect(reconnectDelay(9, bounds, () => 0)).toBe(30_000)
  })
})

describe('PendingSockets', () => {
  beforeEach(() => vi.useFakeTimers())
  afterEach(() => vi.useRealTimers())

  const make = (max: number, perNetworkMax: number) => {
    const cut: string[] = []
    const pending = new PendingSockets({ max, perNetworkMax, deadlineMs: 5_000 })
    const add = (key: string, address: string) => pending.add(key, address, () => cut.push(key))
    return { pending, cut, add }
  }

  it('cuts a socket at its deadline, unless it has logged in', () => {
    const { pending, cut, add } = make(10, 10)
    add('a', '192.0.2.1')
    vi.advanceTimersByTime(3_000)
    add('b', '192.0.2.2')
    add('c', '192.0.2.3')
    pending.remove('c')
    vi.advanceTimersByTime(2_000)
    expect(cut).toEqual(['a'])
    vi.advanceTimersByTime(10_000)
    expect(cut).toEqual(['a', 'b'])
    expect(pending.size).toBe(0)
  })

  it('cuts the oldest of a network that has too many, and of all when there are too many', () => {
    const { pending, cut, add } = make(4, 2)
    for (const key of ['a1', 'a2', 'a3']) add(key, '192.0.2.1')
    expect(cut).toEqual(['a1'])
    add('b1', '192.0.2.2')
    add('b2', '192.0.2.2')
    add('c1', '192.0.2.3')
    expect(cut).toEqual(['a1', 'a2'])
    expect(pending.size).toBe(4)
    pending.cutAll()
    expect(cut).toEqual(['a1', 'a2', 'a3', 'b1', 'b2', 'c1'])
  })

  it('counts an IPv6 /64 as one, and IPv4 in IPv6 as IPv4', () => {
    expect(networkOf('2001:db8:0:1::1')).toBe(networkOf('2001:db8:0:1:ffff::2'))
    expect(networkOf('2001:db8:0:1::1')).not.toBe(networkOf('2001:db8:0:2::1'))
    expect(networkOf('::ffff:192.0.2.1')).toBe('192.0.2.1')
    expect(networkOf('fe80::1%eth0')).toBe(networkOf('fe80::2'))
    expect(networkOf('')).toBe('')
  })
})

describe('TokenIndex', () => {
  it('finds the owner of a token, and nobody for any other', () => {
    const index = new TokenIndex()
    const owners = Array.from({ length: 100 }, (_, n) => ({
      accountId: `a${n}`,
      tokenHash: hashToken(`token-${n}`),
    }))
    for (const owner of owners) index.add(owner)
    expect(owners.every((owner, n) => index.find(Buffer.from(`token-${n}`)) === owner)).toBe(true)
    expect(index.find(Buffer.from('token-100'))).toBeUndefined()
    expect(index.find(Buffer.alloc(0))).toBeUndefined()
    index.remove(owners[7]!)
    expect(index.find(Buffer.from('token-7'))).toBeUndefined()
  })

  it('keeps the newer owner when the older one of the same account is removed', () => {
    const index = new TokenIndex()
    const older = { accountId: 'a', tokenHash: hashToken(TOKEN) }
    const newer = { accountId: 'a', tokenHash: hashToken(TOKEN) }
    expect(index.add(older)).toBeUndefined()
    expect(index.add(newer)).toBe(older)
    index.remove(older)
    expect(index.find(Buffer.from(TOKEN))).toBe(newer)
    expect(() => index.add({ accountId: 'b', tokenHash: hashToken(TOKEN) })).toThrow(LinkConfigError)
  })
})

describe('options of the BTP plugin', () => {
  const pathOf = (parse: () => unknown) => {
    try {
      parse()
    } catch (error) {
      expect(error).toBeInstanceOf(LinkConfigError)
      expect((error as Error).message).not.toContain(TOKEN)
      return (error as LinkConfigError).path
    }
    return undefined
  }

  it('have defaults', () => {
    expect(parseBtpOptions({ listen: { port: 7_768 } })).toMatchObject({
      listen: { host: '127.0.0.1', port: 7_768 },
      authDeadlineMs: 5_000,
      unauthenticatedMax: 1_000,
      unauthenticatedPerAddressMax: 100,
      pingIntervalMs: 30_000,
      allowShortTokens: false,
    })
  })

  it.each([
    [{ listn: {} }, 'listn'],
    [{ listen: { port: 70_000 } }, 'listen.port'],
    [{ listen: { port: 1, hots: 'x' } }, 'listen.hots'],
    [{ tls: { certFile: 'a', keyFile: 'b' } }, 'tls'],
    [{ authDeadlineMs: 0 }, 'authDeadlineMs'],
  ])('refuse %j at %s', (options, path) => {
    expect(pathOf(() => parseBtpOptions(options))).toBe(path)
  })

  it('take a short token only where that is allowed', () => {
    const options = { mode: 'server', token: 'short' }
    expect(pathOf(() => parseLinkOptions(options, strict))).toBe('token')
    expect(parseLinkOptions(options, { allowShortTokens: true })).toMatchObject({ mode: 'server' })
  })

  it('keep no token in server mode but its hash', () => {
    const parsed = parseLinkOptions({ plugin: 'btp', mode: 'server', token: TOKEN }, strict)
    expect(parsed).toEqual({ mode: 'server', settlementMessages: 'ilp', tokenHash: hashToken(TOKEN) })
    const tokenSha256 = hashToken(TOKEN).toString('hex').toUpperCase()
    expect(parseLinkOptions({ mode: 'server', tokenSha256 }, strict)).toEqual(parsed)
  })

  it.each([
    ['ws://peer.example:7768/btp', 'ws://peer.example:7768/btp', undefined],
    ['btp+wss://alice@peer.example', 'wss://peer.example/', 'alice'],
    ['btp+ws://al%20ice@[::1]:1', 'ws://[::1]:1/', 'al ice'],
  ])('read the URL %s', (url, href, username) => {
    const parsed = parseLinkOptions({ mode: 'client', url, token: TOKEN }, strict)
    if (parsed.mode !== 'client') throw new Error('not a client')
    expect([parsed.url.href, parsed.username]).toEqual([href, username])
  })

  it.each([
    [`btp+ws://:${TOKEN}@peer.example`, 'url'],
    ['peer.example', 'url'],
    ['ws://', 'url'],
    ['ws://peer.example/#x', 'url'],
    ['ws://%zz@peer.example', 'url'],
    ['https://peer.example', 'url'],
  ])('refuse the URL %s', (url, path) => {
    expect(pathOf(() => parseLinkOptions({ mode: 'client', url, token: TOKEN }, strict))).toBe(path)
  })

  it('refuse two user names', () => {
    const options = { mode: 'client', url: 'ws://alice@peer.example', username: 'bob', token: TOKEN }
    expect(pathOf(() => parseLinkOptions(options, strict))).toBe('username')
  })
})

import { createServer, type RequestListener, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { silentLogger } from '../../../src/lib/logger.ts'
import { createRateProvider } from '../../../src/rates/create-rate-provider.ts'
import { HttpRates } from '../../../src/rates/http-rates.ts'

const XRP_IN_USD = { numerator: 13n, denominator: 25n }

describe('HttpRates', () => {
  let server: Server
  let url: string
  let requests: number
  let answer: RequestListener
  let nowMs: number
  let rates: HttpRates
  const errors: string[] = []
  const logger = { ...silentLogger, error: (message: string) => void errors.push(message) }

  const make = (changes: Partial<ConstructorParameters<typeof HttpRates>[0]> = {}) =>
    new HttpRates(
      {
        provider: 'http',
        base: 'USD',
        url,
        intervalMs: 3_600_000,
        timeoutMs: 2_000,
        maxAgeMs: 300_000,
        ...changes,
      },
      { clock: { now: () => nowMs }, logger },
    )
  const reply = (body: string, status = 200): RequestListener => {
    return (_request, response) => void response.writeHead(status).end(body)
  }

  beforeEach(async () => {
    requests = 0
    nowMs = 1_700_000_000_000
    errors.length = 0
    answer = reply('{"base":"USD","rates":{"XRP":"0.52"}}')
    server = createServer((request, response) => {
      requests++
      answer(request, response)
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/rates`
  })

  afterEach(async () => {
    await rates.stop()
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
  })

  it('has its prices once it has started', async () => {
    rates = make()
    expect(rates.rate('XRP', 'USD')).toBeUndefined()
    const before = rates.version
    await rates.start()
    expect(rates.rate('XRP', 'USD')).toEqual(XRP_IN_USD)
    expect(rates.version).toBeGreaterThan(before)
    expect(rates.status()).toEqual({
      source: 'http',
      prices: { XRP: '0.52' },
      baseAsset: 'USD',
      updatedAtMs: nowMs,
      stale: false,
    })
  })

  it('takes JSON numbers exactly as written', async () => {
    answer = reply('{"rates":{"A":0.1,"B":1e-7,"C":12345678901234567890.5}}')
    rates = make()
    await rates.start()
    expect(rates.rate('A', 'USD')).toEqual({ numerator: 1n, denominator: 10n })
    expect(rates.rate('B', 'USD')).toEqual({ numerator: 1n, denominator: 10_000_000n })
    expect(rates.rate('C', 'USD')).toEqual({ numerator: 24691357802469135781n, denominator: 2n })
  })

  it.each([
    ['a reply that is not JSON', reply('<html>'), /not JSON/],
    ['no rates', reply('{"base":"USD"}'), /"rates" is missing/],
    ['rates that are a list', reply('{"rates":[1]}'), /"rates" is missing/],
    ['another base', reply('{"base":"EUR","rates":{}}'), /prices are in EUR/],
    ['a price of zero', reply('{"rates":{"XRP":0,"EUR":1}}'), /price of XRP.*above zero/],
    ['a negative price', reply('{"rates":{"XRP":-1}}'), /price of XRP.*not a decimal/],
    ['a price NaN', reply('{"rates":{"XRP":"NaN"}}'), /price of XRP.*not a decimal/],
    ['a price null', reply('{"rates":{"XRP":null}}'), /price of XRP is neither/],
    ['a huge price', reply('{"rates":{"XRP":1e300}}'), /price of XRP/],
    ['another status', reply('{"rates":{"XRP":"9"}}', 500), /HTTP 500/],
    ['a body without end', reply(`{"rates":{"XRP":"0.5${' '.repeat(1_100_000)}`), /longer than/],
    ['a closed connection', (request) => void request.socket.destroy(), /./],
  ] satisfies [string, RequestListener, RegExp][])(
    'keeps the last good prices after %s',
    async (_name, bad, message) => {
      rates = make()
      await rates.start()
      const before = rates.version
      answer = bad
      await rates.refresh()
      expect(rates.rate('XRP', 'USD')).toEqual(XRP_IN_USD)
      expect(rates.version).toBe(before)
      expect(rates.status().lastError).toMatch(message)
      expect(rates.status().stale).toBe(false)
      answer = reply('{"rates":{"XRP":"1"}}')
      await rates.refresh()
      expect(rates.rate('XRP', 'USD')).toEqual({ numerator: 1n, denominator: 1n })
      expect(rates.status().lastError).toBeUndefined()
    },
  )

  it('does not follow redirects', async () => {
    answer = (_request, response) => void response.writeHead(302, { location: `${url}/elsewhere` }).end()
    rates = make()
    await rates.start()
    expect(requests).toBe(1)
    expect(rates.status().lastError).toMatch(/HTTP 302/)
  })

  it('gives up on a feed that never finishes', async () => {
    answer = (_request, response) => void response.writeHead(200).write('{"rates":')
    rates = make({ timeoutMs: 100 })
    await rates.start()
    expect(rates.status().lastError).toMatch(/within 100 ms/)
  })

  it('turns stale by age alone, once, with an alarm, and recovers', async () => {
    rates = make({ maxAgeMs: 1_000 })
    await rates.start()
    nowMs += 1_000
    const before = rates.version
    expect(rates.rate('XRP', 'USD')).toEqual(XRP_IN_USD)
    nowMs += 1
    expect(rates.version).toBe(before + 1)
    expect(rates.rate('XRP', 'USD')).toBeUndefined()
    expect(rates.rate('XRP', 'XRP')).toEqual({ numerator: 1n, denominator: 1n })
    expect(rates.version).toBe(before + 1)
    expect(rates.status().stale).toBe(true)
    expect(errors).toEqual(['exchange rates are stale, packets between assets are refused'])
    await rates.refresh()
    expect(rates.version).toBe(before + 2)
    expect(rates.rate('XRP', 'USD')).toEqual(XRP_IN_USD)
  })

  it('asks again after the interval, and sooner after a failure', async () => {
    rates = make({ intervalMs: 20 })
    await rates.start()
    answer = reply('', 503)
    await vi.waitFor(() => expect(rates.status().lastError).toMatch(/503/))
    answer = reply('{"rates":{"XRP":"2"}}')
    await vi.waitFor(() => expect(rates.rate('XRP', 'USD')).toEqual({ numerator: 2n, denominator: 1n }))
  })

  it('stops while a fetch hangs, and asks no more', async () => {
    answer = () => undefined
    rates = make({ timeoutMs: 60_000 })
    const started = rates.start()
    await vi.waitFor(() => expect(requests).toBe(1))
    await rates.stop()
    await started
    await rates.refresh()
    await rates.stop()
    expect(requests).toBe(1)
  })

  it('refuses other schemes', () => {
    rates = make()
    expect(() => make({ url: 'file:///etc/passwd' })).toThrow(/https/)
  })
})

describe('createRateProvider', () => {
  const deps = { clock: { now: () => 0 }, logger: silentLogger }

  it('makes the provider that the configuration names', async () => {
    const fixed = createRateProvider({ provider: 'fixed', base: 'USD', prices: {} }, deps)
    expect(fixed.status().source).toBe('fixed')
    const url = 'http://127.0.0.1:1/'
    const options = { base: 'USD', url, intervalMs: 1000, timeoutMs: 100, maxAgeMs: 1000 }
    const http = createRateProvider({ provider: 'http', ...options }, deps)
    expect(http.status().source).toBe('http')
    await http.stop()
  })
})

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { deserializeIlpReject } from 'ilp-packet'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { createPlugin } from '../../../plugins/legacy/plugin.ts'
import { systemClock } from '../../../src/lib/clock.ts'
import { type Logger, silentLogger } from '../../../src/lib/logger.ts'
import { type Plugin, SendOutcome } from '../../../src/peers/link.ts'
import { RecordingReceiver } from '../../compliance/recording-receiver.ts'
import { waitFor } from '../../compliance/wait-for.ts'

const PREPARE = Buffer.from([12, 1, 0])
const FULFILL = Buffer.from([13, 1, 0])

/** A sound plugin that echoes a Fulfill; tests override methods by source text. */
const source = (members: string, after = '') => `
const { EventEmitter } = require('node:events')
class Fake extends EventEmitter {
  constructor (options, api) { super(); this.options = options; this.api = api }
  async connect () { this.up = true; this.emit('connect') }
  async disconnect () { this.up = false; this.emit('disconnect') }
  isConnected () { return this.up === true }
  async sendData (data) { return Buffer.from([13, data[1], data[2]]) }
  registerDataHandler (handler) { this.data = handler }
  deregisterDataHandler () { this.data = undefined }
  registerMoneyHandler (handler) { this.money = handler }
  deregisterMoneyHandler () { this.money = undefined }
  async sendMoney () {}
  ${members}
}
Fake.version = 2
module.exports = Fake
${after}`

let directory: string
let plugin: Plugin
let lines: string[]
let files = 0

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'causeway-hostile-'))
  lines = []
  const keep = (message: string, fields?: object) => lines.push(`${message} ${JSON.stringify(fields)}`)
  const logger: Logger = { ...silentLogger, error: keep, warn: keep, info: keep, child: () => logger }
  plugin = createPlugin({}, { clock: systemClock, logger, random: Math.random, baseDirectory: directory })
})
afterEach(async () => {
  await plugin.stop()
  rmSync(directory, { recursive: true })
})

async function open(text: string, settings: Record<string, unknown> = {}) {
  const module = `./fake-${files++}.cjs`
  writeFileSync(join(directory, module), text)
  const money: string[] = []
  const receiver = Object.assign(new RecordingReceiver(), { money: (amount: string) => money.push(amount) })
  const options = { module, restartMinMs: 10, ...settings }
  const link = plugin.openLink({
    accountId: 'alice',
    relation: 'peer',
    assetCode: 'XRP',
    assetScale: 9,
    options,
    receiver,
  })
  await link.start()
  const send = (token: number, expiresAtMs = Date.now() + 30_000) =>
    link.sendPrepare(token, PREPARE, 0, PREPARE.length, expiresAtMs)
  const connected = () => waitFor('the link to be connected', () => link.connected)
  return { link, receiver, money, send, connected }
}

describe('a legacy plugin', () => {
  it.each(['module.exports = Fake', 'exports.default = Fake', 'module.exports.default = module.exports'])(
    'is found in a module that ends with %s',
    async (ending) => {
      const text = source('').replace('module.exports = Fake', '')
      const start = ending.startsWith('module.exports.default') ? 'module.exports = Fake\n' : ''
      const { connected, send, receiver } = await open(`${text}\n${start}${ending}`)
      await connected()
      send(1)
      await waitFor('the reply', () => receiver.replies.length === 1)
    },
  )

  it('gets its options, a store and a log, in both arguments', async () => {
    const { link, connected, receiver } = await open(
      source(`async sendData () {
        const { _store, _log, colour } = this.options
        await _store.put('claim', '17')
        _log.info('colour is', colour)
        const same = this.api.store === _store && this.api.log === _log
        return Buffer.from(JSON.stringify({ same, claim: await _store.get('claim'), none: await _store.get('x') }))
      }`),
      { options: { colour: 'blue' }, storeFile: 'data/store.json' },
    )
    await connected()
    link.sendPrepare(1, PREPARE, 0, 3, Date.now() + 30_000)
    await waitFor('the reply', () => receiver.replies.length === 1)
    expect(JSON.parse(receiver.replies[0]!.packet.toString())).toEqual({ same: true, claim: '17' })
    expect(JSON.parse(readFileSync(join(directory, 'data/store.json'), 'utf8'))).toEqual({ claim: '17' })
    await waitFor('the log line', () => lines.some((line) => line.includes('colour is blue')))
  })

  it('may not store anything when there is no file for it', async () => {
    const text = source(
      `async sendData () { await this.options._store.put('a', 'b'); return Buffer.from([13]) }`,
    )
    const { connected, send, receiver } = await open(text)
    await connected()
    send(1)
    await waitFor('the failure', () => receiver.failures.length === 1)
    expect(receiver.failures[0]!.message).toMatch(/set storeFile/)
  })

  it('has its secrets masked in what it logs', async () => {
    const { connected } = await open(
      source(
        `async connect () { this.options._log.warn('got', this.options.btpToken, this.options); this.up = true }`,
      ),
      { options: { btpToken: 'canary-one', deep: { server: 'btp+ws://:canary-two@host' } } },
    )
    await connected()
    await waitFor('the log line', () => lines.some((line) => line.includes('got')))
    expect(lines.join('\n')).not.toContain('canary')
  })

  it('moves money both ways, and says when the outcome is unknown', async () => {
    const { link, connected, money } = await open(
      source(`async sendMoney (amount) {
        if (amount === '3') throw new Error('no channel')
        if (amount === '4') return new Promise(() => {})
        await this.money(amount)
        await this.money('1.5').catch(() => {})
      }`),
      { timeoutMs: 200 },
    )
    await connected()
    await link.sendMoney!('18446744073709551616')
    expect(money).toEqual(['18446744073709551616'])
    await expect(link.sendMoney!('3')).rejects.toThrow('no channel')
    await expect(link.sendMoney!('4')).rejects.toThrow(/unknown/)
  })

  it('turns an error with an ILP code into a Reject, and any other into a failure', async () => {
    const { connected, send, receiver } = await open(
      source(`async sendData () {
        if (this.times++) throw new Error('x'.repeat(100000))
        throw Object.assign(new Error('no money'), { ilpErrorCode: 'T04', ilpErrorData: Buffer.from('hi') })
      }
      times = 0`),
    )
    await connected()
    send(1)
    await waitFor('the reject', () => receiver.replies.length === 1)
    expect(deserializeIlpReject(receiver.replies[0]!.packet)).toEqual({
      code: 'T04',
      message: 'no money',
      triggeredBy: '',
      data: Buffer.from('hi'),
    })
    send(2)
    await waitFor('the failure', () => receiver.failures.length === 1)
    expect(receiver.failures[0]).toMatchObject({ token: 2, failure: 'unreachable' })
    expect(receiver.failures[0]!.message.length).toBeLessThan(1_000)
  })
})

describe('a hostile legacy plugin', () => {
  it('that never answers has its packets given up after they expired, and its queue bounded', async () => {
    const { connected, send, receiver } = await open(source('sendData () { return new Promise(() => {}) }'), {
      maxOpenRequests: 2,
    })
    await connected()
    const soon = Date.now() + 100
    expect([send(1, soon), send(2, soon), send(3, soon)]).toEqual([
      SendOutcome.sent,
      SendOutcome.sent,
      SendOutcome.busy,
    ])
    await waitFor('both failures', () => receiver.failures.length === 2)
    expect(send(4)).toBe(SendOutcome.sent)
  })

  it('that throws outside any promise is made anew, and what was open fails', async () => {
    const { connected, send, receiver } = await open(
      source(
        `sendData () { setTimeout(() => { throw new Error('bang') }, 1); return new Promise(() => {}) }`,
      ),
    )
    await connected()
    send(1)
    await waitFor('the failure', () => receiver.failures.length === 1)
    expect(receiver.failures[0]).toMatchObject({ token: 1, failure: 'unreachable' })
    await waitFor('a new one to be connected', () => receiver.connections === 2)
  })

  it('that blocks its thread is ended and made anew, while we go on', async () => {
    const { connected, send, receiver } = await open(source('sendData () { for (;;); }'), { timeoutMs: 100 })
    await connected()
    send(1)
    const before = performance.now()
    await new Promise((resolve) => setImmediate(resolve))
    expect(performance.now() - before, 'our own loop is free').toBeLessThan(1_000)
    await waitFor('a new one to be connected', () => receiver.connections === 2, 20_000)
    expect(receiver.disconnections[0]).toMatch(/blocks/)
  })

  it('that eats memory loses its thread only', async () => {
    const { connected, send, receiver } = await open(
      source('sendData () { const all = []; for (;;) all.push(new Array(1e5).fill({})) }'),
      { memoryMb: 32 },
    )
    await connected()
    send(1)
    await waitFor('the plugin to be ended', () => receiver.disconnections.length === 1, 20_000)
  })

  it.each([
    [
      'throws in its constructor',
      source('').replace('super();', 'super(); throw new Error("never");'),
      /never/,
    ],
    ['cannot connect', source('async connect () { throw new Error("no route") }'), /no route/],
    ['lacks a method', source('get sendData () { return undefined }'), /lacks sendData/],
    ['exits the process', source('connect () { process.exit(3) }'), /ended/],
  ])('that %s never connects, and its state says why', async (_, text, expected) => {
    const { link, receiver } = await open(text)
    await waitFor('the reason', () => expected.test(link.status().lastError ?? ''))
    expect(receiver.connections).toBe(0)
    expect(link.sendPrepare(1, PREPARE, 0, 3, Date.now() + 1_000)).toBe(SendOutcome.unreachable)
  })

  it.each([
    ['of version 1', source('').replace('version = 2', 'version = 1'), /version 1/],
    ['without a class', 'module.exports = { hello: 1 }', /no plugin class/],
    ['with a syntax error', 'module.exports = (', /./],
  ])('in a module %s is refused with a reason', async (_, text, expected) => {
    const { link } = await open(text)
    await waitFor('the reason', () => expected.test(link.status().lastError ?? ''))
    expect(link.connected).toBe(false)
  })

  it('that hangs in connect is tried anew', async () => {
    const { receiver } = await open(
      `const { existsSync, writeFileSync } = require('node:fs')
      const flag = __filename + '.tried'
      ${source(`async connect () {
        if (!existsSync(flag)) { writeFileSync(flag, ''); return new Promise(() => {}) }
        this.up = true
      }`)}`,
      { connectTimeoutMs: 300 },
    )
    await waitFor('the second one to be connected', () => receiver.connections === 1)
  })

  it('that hangs in disconnect does not hold up stop', async () => {
    const { link, connected } = await open(source('disconnect () { return new Promise(() => {}) }'))
    await connected()
    const before = performance.now()
    await link.stop()
    expect(performance.now() - before).toBeLessThan(4_000)
  })

  it('that floods us with events, lines and packets is bounded', async () => {
    const { connected, receiver } = await open(
      source(`async connect () {
        this.up = true
        setTimeout(() => {
          for (let i = 0; i < 1e5; i++) { this.emit(i % 2 ? 'connect' : 'disconnect'); this.options._log.info('line') }
          for (let i = 0; i < 1e4; i++) this.data(Buffer.from([12])).catch(() => { this.refused = (this.refused || 0) + 1 })
          this.data(Buffer.alloc(99999)).catch(() => {})
          this.data('text').catch(() => {})
        }, 10)
      }`),
      { maxOpenRequests: 50 },
    )
    await connected()
    await waitFor('the packets', () => receiver.protocolErrors.length === 2)
    expect(receiver.prepares).toHaveLength(50)
    expect(receiver.connections + receiver.disconnections.length).toBeLessThan(5)
    expect(lines.length).toBeLessThan(130)
  })

  it('that leaves rejections unhandled goes on', async () => {
    const { connected, send, receiver } = await open(
      source(`async sendData () { Promise.reject(new Error('loose')); return Buffer.from([13, 1, 0]) }`),
    )
    await connected()
    send(1)
    await waitFor('the reply', () => receiver.replies.length === 1)
    await waitFor('it to be counted', () => receiver.protocolErrors.some((text) => text.includes('loose')))
    expect(receiver.replies[0]!.packet).toEqual(FULFILL)
    expect(receiver.disconnections).toEqual([])
  })
})

import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { cliLoaders } from '../../../src/cli/cli-loaders.ts'
import type { RunEngine } from '../../../src/config/run-engine.ts'
import { temporaryDirectory } from '../config/config-helpers.ts'
import { hangUp, ok, refused, run, stubNode } from './cli-helpers.ts'

const KEY = `0x${'11'.repeat(32)}`
const ADDRESS = `0x${'ab'.repeat(20)}`

function configure(more = '', engine = ''): string {
  const workingDirectory = temporaryDirectory()
  mkdirSync(join(workingDirectory, 'data'))
  writeFileSync(join(workingDirectory, 'data', 'secrets.yaml'), 'connector: "a"\noperator: "b"\n', {
    mode: 0o600,
  })
  writeFileSync(join(workingDirectory, 'key'), KEY, { mode: 0o600 })
  const text = `engines:
  evm:
    type: evm
    rpcUrls: ['http://127.0.0.1:9']
    chainId: 1
    contract: '${ADDRESS}'
    keys: { fundingKeyFile: key, claimKeyFile: key }
    assets: { USD: { token: '${ADDRESS}', deposit: '1', maxDepositPerChannel: '1', totalBudget: '1', claimAtValue: '1' } }
${more}
engine:
  listen: { port: 0, token: secret:connector }
  connector: { url: 'http://127.0.0.1:9' }
  accountDefaults: { asset: { code: USD, scale: 9 } }
${engine}
`
  writeFileSync(join(workingDirectory, 'engine.yaml'), text)
  return workingDirectory
}

describe('causeway engine <name>', () => {
  it('runs the engine of that name and tells where it is', async () => {
    const workingDirectory = configure()
    const seen: unknown[] = []
    const runEngine: RunEngine = async (name, { config }, { started }) => {
      seen.push(name, config.engine.accountDefaults?.asset)
      started({ name, url: 'http://127.0.0.1:1', adminUrl: undefined, connectorUrl: 'http://127.0.0.1:9' })
      return 0
    }
    const loaders = { loadRunEngine: async () => runEngine }
    const { code, err } = await run(['engine', 'evm'], { workingDirectory, loaders })
    expect([code, ...seen]).toEqual([0, 'evm', { code: 'USD', scale: 9 }])
    expect(err).toContain('Engine "evm" is up')
    expect(err).toContain('http://127.0.0.1:1/health')
    const json = await run(['engine', 'evm', '--json'], { workingDirectory, loaders })
    expect(JSON.parse(json.out)).toMatchObject({ event: 'started', name: 'evm', url: 'http://127.0.0.1:1' })
  })

  it('ends with exit code 3 when the file is missing or wrong', async () => {
    const missing = await run(['engine', 'evm'], { workingDirectory: temporaryDirectory() })
    expect([missing.code, missing.err]).toEqual([3, expect.stringContaining('there is no such file')])
    const unknown = await run(['engine', 'xrp'], { workingDirectory: configure() })
    expect([unknown.code, unknown.err]).toEqual([3, expect.stringContaining('Name one of evm')])
    expect((await run(['engine'], { workingDirectory: configure() })).code).toBe(2)
  })

  it('has the engine check what is its own', async () => {
    const check = async (workingDirectory: string) =>
      await run(['engine', 'evm', '--check'], { workingDirectory, loaders: cliLoaders })
    expect(await check(configure())).toMatchObject({ code: 0, out: 'engine.yaml: valid\n', err: '' })
    const wrong = await check(configure('    finalty: { kind: safe }'))
    expect([wrong.code, wrong.err]).toEqual([3, expect.stringContaining('engines.evm')])
    const account = await check(configure('', '  accounts: { bob: { options: { mode: transfer } } }'))
    expect([account.code, account.err]).toEqual([
      3,
      expect.stringContaining('engine.accounts.bob.options.peerAddress'),
    ])
    const asset = await check(configure('', '  accounts: { bob: { asset: { code: EUR, scale: 2 } } }'))
    expect([asset.code, asset.err]).toEqual([3, expect.stringContaining('EUR is not among')])
  })
})

describe('operators of an engine', () => {
  const nothing = { amount: '0', scale: 0 }

  async function engineOf(routes: Parameters<typeof stubNode>[0]) {
    const node = await stubNode(routes)
    const port = new URL(node.url).port
    const workingDirectory = configure('', `  admin: { port: ${port}, token: secret:operator }`)
    return { node, ask: async (...args: string[]) => await run(['engine', ...args], { workingDirectory }) }
  }

  it('see how it stands', async () => {
    const account = {
      id: 'alice',
      state: 'open',
      pending: { amount: '7', scale: 9 },
      carried: nothing,
      settled: { amount: '1500', scale: 6 },
      open: nothing,
      credited: nothing,
      problem: 'too large',
      differences: ['channel 0x1 closed early'],
    }
    const status = {
      name: 'evm',
      healthy: false,
      ordersToGive: 1,
      creditsToTell: 2,
      suspended: 3,
      accounts: [account],
    }
    const { ask, node } = await engineOf({ 'GET /engine': () => ok(status) })
    const { code, out } = await ask('status')
    expect(code).toBe(0)
    for (const text of [
      'does not reach its network',
      '1500e-6',
      '7e-9',
      'too large',
      'alice: channel 0x1 closed early',
    ])
      expect(out).toContain(text)
    expect(node.requests[0]?.headers.authorization).toBe('Bearer b')
    expect(JSON.parse((await ask('status', '--json')).out)).toEqual(status)
  })

  it('see why it does nothing, and resume it', async () => {
    const status = {
      name: 'evm',
      healthy: true,
      trouble: 'another process uses the key',
      ordersToGive: 0,
      creditsToTell: 0,
      suspended: 0,
      accounts: [],
    }
    let isHalted = true
    const { ask, node } = await engineOf({
      'GET /engine': () => ok(status),
      'POST /engine/resume': () => {
        if (!isHalted) return refused(409, 'CONFLICT', 'the engine is not halted')
        isHalted = false
        return ok({ name: 'evm', trouble: 'no new block' })
      },
    })
    expect((await ask('status')).out).toContain('evm: reaches its network\nanother process uses the key\n')
    expect((await ask('resume')).out).toBe('resumed evm\nno new block\n')
    expect(node.requests.at(-1)?.headers.authorization).toBe('Bearer b')
    expect(await ask('resume')).toMatchObject({ code: 5, err: expect.stringContaining('not halted') })
  })

  it('see what is in suspense, and give it to an account', async () => {
    const credit = {
      id: 'evm:1:0xab:0',
      assetCode: 'USD',
      quantity: { amount: '5', scale: 6 },
      sender: '0xstranger',
    }
    const { ask, node } = await engineOf({
      'GET /suspense': () => ok([credit]),
      'POST /suspense/attribute': ({ body }) => ok(body),
    })
    expect((await ask('suspense')).out).toMatch(/evm:1:0xab:0 +USD +5e-6 +0xstranger/)
    expect((await ask('attribute', credit.id, 'alice')).out).toBe('credit evm:1:0xab:0 goes to alice\n')
    expect(node.requests.at(-1)?.body).toEqual({ creditId: credit.id, accountId: 'alice' })
  })

  it('operate channels', async () => {
    const channel = {
      id: '0x1',
      accountId: 'alice',
      direction: 'out',
      state: 'open',
      deposit: '9',
      claimed: '1',
      unclaimed: '2',
    }
    const verb = ({ body }: { body: unknown }) => ok({ ...channel, body })
    const { ask, node } = await engineOf({
      'GET /channels': () => ok([channel]),
      'POST /channels/open': verb,
      'POST /channels/top-up': verb,
      'POST /channels/claim': verb,
      'POST /channels/close': verb,
    })
    expect((await ask('channels')).out).toMatch(/0x1 +alice +out +open +9 +1 +2/)
    expect((await ask('open', 'alice', '9')).out).toBe('channel 0x1 is open\n')
    await ask('top-up', '0x1', '4')
    await ask('claim', '0x1')
    await ask('close', '0x1')
    expect(node.requests.slice(1).map(({ body }) => body)).toEqual([
      { accountId: 'alice', deposit: '9' },
      { channelId: '0x1', amount: '4' },
      { channelId: '0x1' },
      { channelId: '0x1' },
    ])
  })

  it('are told what went wrong, by text and exit code', async () => {
    const { ask } = await engineOf({
      'POST /suspense/attribute': () =>
        refused(404, 'RESOURCE_NOT_FOUND', 'there is no credit x in suspense'),
      'POST /channels/close': () => hangUp,
    })
    expect(await ask('attribute', 'x', 'alice')).toMatchObject({
      code: 5,
      err: expect.stringContaining('no credit x'),
    })
    expect((await ask('close', '0x1')).code).toBe(7)
    const away = await run(['engine', 'status'], {
      workingDirectory: configure('', '  admin: { port: 1, token: secret:operator }'),
    })
    expect([away.code, away.err]).toEqual([4, expect.stringContaining('or name another with --config')])
    const nowhere = await run(['engine', 'status'], { workingDirectory: configure() })
    expect([nowhere.code, nowhere.err]).toEqual([
      3,
      expect.stringContaining('engine.admin in engine.yaml is not set'),
    ])
  })
})

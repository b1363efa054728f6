import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { ConfigError } from '../../../src/config/config-error.ts'
import {
  type LoadedEngineConfiguration,
  loadEngineConfiguration,
} from '../../../src/config/load-engine-config.ts'
import { loadText, temporaryDirectory } from './config-helpers.ts'

const GOOD = `engines:
  evm: { type: evm, rpcUrls: ['http://127.0.0.1:8545'], assets: { USD: { token: '0x${'ab'.repeat(20)}' } } }
engine:
  listen: { port: 3000, token: secret:connector }
  connector: { url: 'http://127.0.0.1:7771' }
  accountDefaults: { asset: { code: USD, scale: 9 } }
`
const SECRETS = { connector: 'a-token', operator: 'another-token', same: 'a-token' }

function load(
  text: string,
  more: { name?: string; flags?: string[]; env?: Record<string, string> } = {},
): LoadedEngineConfiguration {
  const workingDirectory = temporaryDirectory()
  mkdirSync(join(workingDirectory, 'data'))
  const lines = Object.entries(SECRETS).map(([name, value]) => `${name}: ${JSON.stringify(value)}\n`)
  writeFileSync(join(workingDirectory, 'data', 'secrets.yaml'), lines.join(''), { mode: 0o600 })
  writeFileSync(join(workingDirectory, 'engine.yaml'), text)
  const { env = {}, flags = [], name = 'evm' } = more
  return loadEngineConfiguration({ path: 'engine.yaml', env, flags, workingDirectory, engine: name })
}

function problems(...values: Parameters<typeof load>): string[] {
  try {
    load(...values)
    return []
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    const [, ...lines] = error.message.split('\n')
    return lines.map((line) => line.trim())
  }
}

describe('the configuration of a served engine', () => {
  it('has defaults, absolute paths and secrets by reference', () => {
    const { baseDirectory, config, secrets, warnings } = load(GOOD)
    expect(config).toMatchObject({
      node: { environment: 'production', dataDirectory: join(baseDirectory, 'data') },
      engines: { evm: { type: 'evm', rpcUrls: ['http://127.0.0.1:8545'] } },
      engine: {
        listen: { host: '127.0.0.1', port: 3_000, token: 'secret:connector' },
        connector: { connectTimeoutMs: 5_000, requestTimeoutMs: 30_000 },
        accountDefaults: { asset: { code: 'USD', scale: 9 }, options: {} },
        accounts: {},
      },
      logging: { level: 'info', format: 'json' },
    })
    expect(secrets.resolveAll(config.engine.listen).token).toBe('a-token')
    expect(warnings).toEqual([])
  })

  it('takes LOG_LEVEL and flags over the file, and no other variable', () => {
    const env = { LOG_LEVEL: 'debug', HEALTH_CHECK_PORT: '9', CAUSEWAY__NODE__ILP_ADDRESS: 'test.node' }
    const { config } = load(GOOD, { env, flags: ['engine.listen.port=3001'] })
    expect([config.logging.level, config.engine.listen.port]).toEqual(['debug', 3_001])
    expect(problems(GOOD, { flags: ['engine.listen.prot=1'] })).toEqual([
      expect.stringContaining('engine.listen has no key "prot"'),
    ])
  })

  it.each([
    [
      'an unknown key',
      GOOD.replace('port: 3000', 'port: 3000, prot: 3000'),
      'engine.listen.prot (line 4): there is no such key. Did you mean "port"?',
    ],
    [
      'a wrong type',
      GOOD.replace('port: 3000', 'port: soon'),
      'engine.listen.port (line 4): given "soon", but expected a whole number from 0 to 65535',
    ],
    [
      'a secret in the clear',
      GOOD.replace('secret:connector', 'hunter2'),
      'engine.listen.token (line 4): given a value (not shown, it may be secret): a secret is given as',
    ],
    ['a secret that is not there', GOOD.replace('secret:connector', 'secret:none'), 'has no secret "none"'],
    [
      'credentials in a URL',
      GOOD.replace('http://127.0.0.1:8545', 'http://me:hunter2@127.0.0.1:8545'),
      'engines.evm.rpcUrls[0] (line 2): a URL with credentials is written in the clear',
    ],
    [
      'no token',
      GOOD.replace(', token: secret:connector', ''),
      'engine.listen.token (line 4): is missing: whoever reaches the port could move money. Make one with',
    ],
    [
      'a foreign type',
      GOOD.replace('type: evm', 'type: rfc38'),
      'engines.evm.type (line 2): an engine that is reached over RFC 38 already',
    ],
    [
      'no such URL',
      GOOD.replace('http://127.0.0.1:7771', 'redis://127.0.0.1'),
      'engine.connector.url (line 5): given "redis:", but expected an http or https URL',
    ],
    [
      'an account without asset',
      `${GOOD.replace('asset: { code: USD, scale: 9 }', '')}  accounts: { bob: {} }\n`,
      'engine.accounts.bob.asset (line 7): is missing, and engine.accountDefaults has none',
    ],
    [
      'two listeners on a port',
      `${GOOD}  admin: { port: 3000, token: secret:operator }\n`,
      'engine.admin.port (line 7): port 3000 is already used by engine.listen',
    ],
    [
      "the connector's token for operators",
      `${GOOD}  admin: { port: 3001, token: secret:same }\n`,
      'engine.admin.token (line 7): is the token of the connector',
    ],
  ])('is refused with %s, and says where and what to do', (_, text, problem) => {
    const [first, ...others] = problems(text)
    expect(first).toContain(problem)
    expect(others).toEqual([])
    expect(first).not.toContain('hunter2')
  })

  it('is refused for an engine that it does not have', () => {
    for (const name of ['xrp', 'constructor', '__proto__']) {
      expect(problems(GOOD, { name })[0]).toContain(`there is no engine "${name}". Name one of evm`)
    }
  })

  it('may leave tokens out on loopback in development, and warns loudly', () => {
    const open = GOOD.replace(', token: secret:connector', '')
    const development = `node: { environment: development }\n${open}`
    expect(load(development).warnings).toEqual([
      expect.stringContaining('engine.listen: ANYBODY ON THIS MACHINE CAN MOVE MONEY'),
    ])
    const wide = development.replace('port: 3000', "host: '0.0.0.0', port: 3000")
    expect(problems(wide)[0]).toContain('engine.listen.token (line 5): is missing')
    expect(problems(`node: { environment: test }\n${open}`)[0]).toContain('engine.listen.token')
  })

  it('warns of what can be read on the way, and of a file that serves nobody', () => {
    const plain = GOOD.replace('http://127.0.0.1:7771', 'http://connector.example:7771')
    expect(load(plain).warnings).toEqual([
      expect.stringContaining('connects to connector.example without TLS'),
    ])
    const nobody = GOOD.replace('  accountDefaults: { asset: { code: USD, scale: 9 } }\n', '')
    expect(load(nobody).warnings).toEqual([expect.stringContaining('can set up no account')])
  })
})

describe('docs/rfc38.md', () => {
  const page = readFileSync(join(import.meta.dirname, '../../../docs/rfc38.md'), 'utf8')
  const [node = '', engine = ''] = [...page.matchAll(/```yaml\n([\s\S]*?)```/g)].map(([, text]) => text!)

  it('shows configurations that can be used', () => {
    const secrets = { 'to-engine': 'a', 'from-engine': 'b' }
    const { config } = loadText(node.replace('"…"', '0'.repeat(64)), { secrets })
    expect(config.settlement.engines.remote).toMatchObject({ type: 'rfc38', listen: { port: 3_001 } })
    expect(config.peers[0]?.settlement?.engine).toBe('remote')
    expect(load(engine).warnings).toEqual([])
  })
})

import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { ConfigError } from '../../../src/config/config-error.ts'
import { loadConfiguration } from '../../../src/config/load.ts'
import { SecretError } from '../../../src/config/secret-error.ts'
import { child, GOOD, loadText, problemsOf, temporaryDirectory } from './config-helpers.ts'

describe('loading a configuration', () => {
  it('fills in the defaults', () => {
    const { config } = loadText(GOOD)
    expect(config.admin.port).toBe(8080)
    expect(config.ledger).toMatchObject({ backend: 'sqlite', mode: 'exclusive', relay: 'after-commit' })
    expect(config.logging).toEqual({ level: 'info', format: 'json' })
  })

  it('lets the environment win over the file, and flags over the environment', () => {
    const text = `${GOOD}admin: { port: 1111 }\nlogging: { level: warn }\n`
    expect(loadText(text).config.admin.port).toBe(1111)
    const env = { CAUSEWAY__ADMIN__PORT: '2222', LOG_LEVEL: 'debug' }
    const byEnvironment = loadText(text, { env })
    expect(byEnvironment.config.admin.port).toBe(2222)
    expect(byEnvironment.config.logging.level).toBe('debug')
    const byFlag = loadText(text, { env, flags: ['admin.port=3333'] })
    expect(byFlag.config.admin.port).toBe(3333)
    expect(byFlag.overridden).toContain('admin.port (--set admin.port)')
    expect(byFlag.overridden).toContain('logging.level (LOG_LEVEL)')
  })

  it('makes paths absolute, from the directory of the file', () => {
    const { config, baseDirectory } = loadText(`${GOOD}  dataDirectory: ./books\n`)
    expect(config.node.dataDirectory).toBe(join(baseDirectory, 'books'))
  })

  it('works from the environment alone', () => {
    const workingDirectory = temporaryDirectory()
    const env = { CAUSEWAY__NODE__ILP_ADDRESS: 'g.alone' }
    const { config, path } = loadConfiguration({ path: undefined, env, flags: [], workingDirectory })
    expect(config.node.ilpAddress).toBe('g.alone')
    expect(config.node.secretsFile).toBe(join(workingDirectory, 'data', 'secrets.yaml'))
    expect(path).toBeUndefined()
  })

  it('does not check peers or their secrets for a client of the node', () => {
    const directory = temporaryDirectory()
    const path = join(directory, 'causeway.yaml')
    writeFileSync(
      path,
      `${GOOD}peers:\n${child('a').replace('tokenSha256: ', 'token: env:NOT_SET_HERE, x: ')}`,
    )
    const options = { path, env: {}, flags: [], workingDirectory: directory }
    expect(() => loadConfiguration(options)).toThrow(ConfigError)
    expect(loadConfiguration({ ...options, isClient: true }).config.peers).toHaveLength(1)
  })

  it('never fails in any other way than with a clear error, whatever the file holds', () => {
    const directory = temporaryDirectory()
    const path = join(directory, 'causeway.yaml')
    const load = (text: string) => {
      writeFileSync(path, text)
      try {
        loadConfiguration({ path, env: {}, flags: [], workingDirectory: directory })
      } catch (error) {
        if (!(error instanceof ConfigError) && !(error instanceof SecretError)) throw error
      }
    }
    const keys = fc.constantFrom(
      'node',
      'peers',
      'link',
      'id',
      'admin',
      'keys',
      '__proto__',
      'constructor',
      'rates',
      'asset',
    )
    const { tree } = fc.letrec((tie) => ({
      tree: fc.oneof(
        { maxDepth: 4 },
        fc.jsonValue(),
        fc.dictionary(keys, tie('tree')),
        fc.array(tie('tree'), { maxLength: 3 }),
      ),
    }))
    const seed = Date.now() % 2 ** 31
    console.log(`load.test.ts: seed ${seed}`)
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.dictionary(keys, tree).map((value) => JSON.stringify(value)),
        ),
        load,
      ),
      {
        seed,
        numRuns: 150,
      },
    )
  })
})

describe('a file that is not good YAML', () => {
  it.each([
    ['a duplicate key', 'node:\n  id: a\n  id: b\n', '(line 3): the same key stands here twice; keep one'],
    ['a custom tag', 'node: !secret x\n', '(line 1): YAML tags ("!…") are not taken; write a plain value'],
    ['a tab', 'node:\n\tid: a\n', '(line 2): a tab is used to indent; use spaces'],
    [
      'two documents',
      'node: {}\n---\nnode: {}\n',
      '(line 2): there is more than one document in the file ("---"); keep one',
    ],
    ['no mapping', '- a\n', 'the file does not hold "key: value" lines. See the examples in config/'],
  ])('is refused with the line: %s', (_, text, problem) => {
    expect(problemsOf(text)).toEqual([problem])
  })

  it('is refused when aliases multiply it', () => {
    const bomb =
      'a: &a [x,x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: [*b,*b,*b,*b,*b,*b,*b,*b,*b,*b,*b]\n'
    expect(problemsOf(bomb)).toEqual(['an alias is not defined, or aliases stand for more than 100 values'])
  })

  it('never appears in the error, since it may hold a secret', () => {
    const [problem] = problemsOf('node: {}\nadmin: { keys: ["canary-7f3a" }\n')
    expect(problem).toMatch(/line 2/)
    expect(problem).not.toContain('canary')
  })

  it('is refused when it is not there, with the way to make one', () => {
    const directory = temporaryDirectory()
    const load = () =>
      loadConfiguration({ path: 'none.yaml', env: {}, flags: [], workingDirectory: directory })
    expect(load).toThrow(
      `1 problem in ${join(directory, 'none.yaml')}\n  there is no such file. Write one with: causeway init`,
    )
  })
})

describe('a mistake in the configuration', () => {
  it.each([
    ['nod: {}', 'nod (line 4): there is no such key. Did you mean "node"?'],
    [
      'xyzzy: 1',
      'xyzzy (line 4): there is no such key. Known here: node, plugins, peers, routes, rates, ledger, settlement, accounts, spsp, admin, logging',
    ],
    ['admin: { prot: 1 }', 'admin.prot (line 4): there is no such key. Did you mean "port"?'],
    [
      'admin: { port: 99999 }',
      'admin.port (line 4): given 99999, but expected a whole number from 0 to 65535',
    ],
    ['admin: { port: "80" }', 'admin.port (line 4): given "80", but expected a whole number from 0 to 65535'],
    ['admin: { trustProxy: "yes" }', 'admin.trustProxy (line 4): given "yes", but expected true or false'],
    [
      'ledger: { backend: mysql }',
      'ledger.backend (line 4): given "mysql", but expected one of "sqlite", "tigerbeetle"',
    ],
    [
      'rates: { provider: guess }',
      'rates.provider (line 4): given "guess", but expected one of "fixed", "http"',
    ],
    ['rates: { provider: http }', 'rates.url (line 4): is missing. Give a URL'],
    ['spsp: { publicUrl: nowhere }', 'spsp.publicUrl (line 4): given "nowhere", but expected a URL'],
    ['peers: 5', 'peers (line 4): given 5, but expected a list of at most 100000'],
    [
      `peers:\n${child('a').replace('"1000"', '1000')}`,
      'peers[0].creditLimit (line 8): given the number 1000, but this is a string. Write "1000"',
    ],
    [
      `peers:\n${child('a').replace('child', 'sibling')}`,
      'peers[0].relation (line 6): given "sibling", but expected one of "parent", "peer", "child"',
    ],
    [
      'peers:\n  - id: a\n    relation: peer\n    link: { plugin: btp }',
      'peers[0].asset (line 5): is missing. Give a section with "code", "scale"',
    ],
    [
      'peers:\n  - { id: "a b", relation: peer, asset: { code: X, scale: 0 }, link: { plugin: btp } }',
      'peers[0].id (line 5): given "a b": use 1 to 64 letters, digits, "_", "~" or "-"',
    ],
  ])('is answered with the place, what was given, and the fix: %s', (text, problem) => {
    expect(problemsOf(`${GOOD}${text}\n`)).toEqual([problem])
  })

  it('is told together with all the others', () => {
    expect(problemsOf('nod: {}\nadmin: { port: -1 }\nlogging: { level: loud }\n')).toHaveLength(3)
  })

  it('names the variable or flag the value came from', () => {
    expect(problemsOf(GOOD, { env: { LOG_LEVEL: 'loud' } })).toEqual([
      'logging.level (LOG_LEVEL): given "loud", but expected one of "error", "warn", "info", "debug"',
    ])
    expect(problemsOf(GOOD, { flags: ['admin.port=x'] })).toEqual([
      'admin.port (--set admin.port): given "x", but expected a whole number from 0 to 65535',
    ])
    expect(problemsOf(GOOD, { flags: ['admin.prot=1'] })).toEqual([
      'admin (--set admin.prot): admin has no key "prot". Did you mean admin.port?',
    ])
    expect(problemsOf(GOOD, { flags: ['admin.port'] })).toEqual([
      '--set takes path=value, e.g. --set admin.port=8081; given "admin.port"',
    ])
  })
})

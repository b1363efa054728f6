import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { chmodSync, existsSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { describe, expect, it, onTestFinished } from 'vitest'
import { verifyToken } from '../../../src/admin/operator-token.ts'
import { adminKeys } from '../../../src/config/admin-keys.ts'
import { loadConfiguration } from '../../../src/config/load.ts'
import type { RunNode, StartedInfo } from '../../../src/config/run-options.ts'
import { temporaryDirectory } from '../config/config-helpers.ts'
import { ok, run, stubNode } from './cli-helpers.ts'
import { EVM_SECTION } from './evm-section.ts'

const load = (path: string, workingDirectory: string) =>
  loadConfiguration({ path, env: {}, flags: [], workingDirectory })

describe('init', () => {
  it('writes a configuration that is valid and a secrets file that is private', async () => {
    const workingDirectory = temporaryDirectory()
    const { code, out } = await run(['init', '--id', 'n1', '--address', 'test.n1'], { workingDirectory })
    expect(code).toBe(0)
    expect(out).toContain('causeway check-config\n')
    expect(statSync(join(workingDirectory, 'secrets.yaml')).mode & 0o777).toBe(0o600)
    const loaded = load('causeway.yaml', workingDirectory)
    expect(loaded.config.node).toMatchObject({ id: 'n1', environment: 'test', ilpAddress: 'test.n1' })
    expect(adminKeys(loaded)[0]).toHaveLength(43)
    expect(out).not.toContain(String(adminKeys(loaded)[0]))
  })

  it('never overwrites without --force', async () => {
    const workingDirectory = temporaryDirectory()
    await run(['init'], { workingDirectory })
    const secrets = readFileSync(join(workingDirectory, 'secrets.yaml'), 'utf8')
    const again = await run(['init', 'other.yaml'], { workingDirectory })
    expect(again.code).toBe(1)
    expect(again.err).toContain('secrets.yaml is there already and was not touched')
    expect(existsSync(join(workingDirectory, 'other.yaml'))).toBe(false)
    expect(readFileSync(join(workingDirectory, 'secrets.yaml'), 'utf8')).toBe(secrets)
    expect((await run(['init', '--force'], { workingDirectory })).code).toBe(0)
    expect(readFileSync(join(workingDirectory, 'secrets.yaml'), 'utf8')).not.toBe(secrets)
  })

  it('refuses an address that is none and leaves nothing behind', async () => {
    const workingDirectory = temporaryDirectory()
    const { code, err } = await run(['init', '--address', 'nonsense'], { workingDirectory })
    expect(code).toBe(2)
    expect(err).toContain('not an ILP address')
    expect(existsSync(join(workingDirectory, 'causeway.yaml'))).toBe(false)
    expect(existsSync(join(workingDirectory, 'secrets.yaml'))).toBe(false)
  })
})

describe('check-config', () => {
  it('answers with exit code 0, or 3 and every problem', async () => {
    const workingDirectory = temporaryDirectory()
    const path = join(workingDirectory, 'causeway.yaml')
    writeFileSync(path, 'node: { ilpAddress: g.me }\nadmin: { host: 0.0.0.0 }\n')
    const good = await run(['check-config', '--show'], { workingDirectory })
    expect(good.code).toBe(0)
    expect(good.out).toContain(`${path}: valid\n`)
    expect(good.err).toContain('warning: admin.host: listens on 0.0.0.0 without TLS')
    const json = await run(['check-config', '--json', '--set', 'admin.port=5'], { workingDirectory })
    expect(JSON.parse(json.out)).toMatchObject({
      valid: true,
      overridden: ['admin.port (--set admin.port)'],
      config: { admin: { port: 5 } },
    })
    writeFileSync(path, 'nod: {}\nadmin: { port: x }\n')
    const bad = await run(['check-config'], { workingDirectory })
    expect(bad.code).toBe(3)
    expect(bad.err).toContain('nod (line 1): there is no such key. Did you mean "node"?')
  })
})

describe('a configuration in the environment alone', () => {
  it('is enough', async () => {
    const workingDirectory = temporaryDirectory()
    const env = { CAUSEWAY__NODE__ILP_ADDRESS: 'g.container', CAUSEWAY__ADMIN__PORT: '0' }
    expect(await run(['check-config'], { workingDirectory, env })).toMatchObject({
      code: 0,
      out: 'environment alone: valid\n0 peers, 0 local accounts, ledger sqlite (exclusive)\nset over the file: admin.port (CAUSEWAY__ADMIN__PORT)\nset over the file: node.ilpAddress (CAUSEWAY__NODE__ILP_ADDRESS)\n',
    })
    expect((await run(['start'], { workingDirectory, env })).code).toBe(0)
    expect((await run(['doctor'], { workingDirectory, env })).code).toBe(0)
  })
})

describe('token', () => {
  it('mints offline what the node accepts', async () => {
    const workingDirectory = temporaryDirectory()
    await run(['init'], { workingDirectory })
    const keys = adminKeys(load('causeway.yaml', workingDirectory))
    const minted = await run(
      ['token', '--scope', 'admin:read,payments:write', '--ttl', '2h', '--subject', 'ci', '--json'],
      { workingDirectory },
    )
    const { token, expiresAt } = JSON.parse(minted.out) as { token: string; expiresAt: string }
    const at = (nowMs: number) => verifyToken(token, keys, { now: () => nowMs })
    const issuedMs = Date.UTC(2026, 5, 1)
    expect(Date.parse(expiresAt)).toBe(issuedMs + 7_200_000)
    expect(await at(issuedMs + 60_000)).toMatchObject({
      subject: 'ci',
      scopes: new Set(['admin:read', 'payments:write']),
    })
    expect(await at(issuedMs + 7_201_000)).toBeUndefined()
    expect((await run(['token'], { workingDirectory })).out).toMatch(/^ey[\w-]+\.[\w-]+\.[\w-]+\n$/)
  })

  it.each([
    [
      ['--scope', 'everything'],
      'There is no scope "everything". Known: admin:read, admin:write, payments:read, payments:write, settlements:write.',
    ],
    [['--ttl', 'forever'], 'Give a time from 1s to 366d, e.g. 12h.'],
  ])('refuses %o', async (args, message) => {
    const { code, err } = await run(['token', ...args])
    expect(code).toBe(2)
    expect(err).toContain(message)
  })

  it('makes peer tokens with their hash, and keys, without a configuration', async () => {
    const { out } = await run(['token', 'btp', '--json'])
    const { token, sha256 } = JSON.parse(out) as { token: string; sha256: string }
    const expected = createHash('sha256').update(token).digest('hex')
    expect(sha256).toBe(expected)
    expect((await run(['token', 'key'])).out).toMatch(/^[A-Za-z0-9_-]{43}\n$/)
  })

  it('says what to do when there is no key yet', async () => {
    const workingDirectory = temporaryDirectory()
    writeFileSync(join(workingDirectory, 'causeway.yaml'), 'node: { ilpAddress: g.me }\n')
    const { code, err } = await run(['token'], { workingDirectory })
    expect(code).toBe(3)
    expect(err).toContain('there is no admin key yet. Start the node once')
  })
})

describe('commands that find the node through its configuration', () => {
  it('mint a token of a minute that the node accepts', async () => {
    const workingDirectory = temporaryDirectory()
    await run(['init'], { workingDirectory })
    const node = await stubNode({ 'GET /log-level': () => ok({ level: 'info' }) })
    const { code, err } = await run(['log-level'], {
      workingDirectory,
      env: { HEALTH_CHECK_PORT: new URL(node.url).port },
    })
    expect({ code, err }).toEqual({ code: 0, err: '' })
    const token = node.requests[0]?.headers.authorization?.replace('Bearer ', '') ?? ''
    const keys = adminKeys(load('causeway.yaml', workingDirectory))
    const nowMs = Date.UTC(2026, 5, 1)
    expect((await verifyToken(token, keys, { now: () => nowMs }))?.scopes.size).toBe(5)
    expect(await verifyToken(token, keys, { now: () => nowMs + 61_000 })).toBeUndefined()
  })

  it('say which file others can read', async () => {
    const workingDirectory = temporaryDirectory()
    await run(['init'], { workingDirectory })
    chmodSync(join(workingDirectory, 'secrets.yaml'), 0o644)
    const { code, err } = await run(['status'], { workingDirectory })
    expect(code).toBe(3)
    expect(err).toContain(`Run: chmod 600 '${join(workingDirectory, 'secrets.yaml')}'`)
  })
})

describe('start', () => {
  const node = {
    nodeId: 'n',
    version: '0.1.0',
    ilpAddress: 'test.local-node',
    startedAtMs: 0,
    state: 'running' as const,
    packetsInFlight: 0,
    ledger: { backend: 'sqlite', mode: 'exclusive', relay: 'after-commit', available: true, latencyMs: 1 },
    listening: ['btp+ws://127.0.0.1:7768', 'http://127.0.0.1:7770'],
  }
  const local = (id: string) => ({
    id,
    ilpAddress: `test.local-node.${id}`,
    spspUrl: `http://127.0.0.1:7780/${id}`,
    paymentPointer: undefined,
    assetCode: 'USD',
    assetScale: 6,
    balance: '0',
  })
  const info: StartedInfo = {
    node,
    adminUrl: 'http://127.0.0.1:8080',
    localAccounts: [local('alice'), local('bob')],
  }

  const starting = (seen: Parameters<RunNode>[] = []) => ({
    loaders: {
      loadRunNode:
        async () =>
        async (...args: Parameters<RunNode>) => {
          seen.push(args)
          args[1].started(info)
          return 0
        },
    },
  })

  it('--dev makes a node that is the same at the next start, and shows its tokens once', async () => {
    const workingDirectory = temporaryDirectory()
    const seen: Parameters<RunNode>[] = []
    const first = await run(['start', '--dev'], { workingDirectory, ...starting(seen) })
    expect(first.code).toBe(0)
    expect(first.err).toContain('THIS IS A DEVELOPMENT NODE')
    const token = /^ {4}east {2}(\S{43})$/m.exec(first.err)?.[1] ?? ''
    const loaded = seen[0]![0]
    const hash = createHash('sha256').update(token).digest('hex')
    expect(loaded.config.peers[0]).toMatchObject({
      id: 'east',
      relation: 'child',
      link: { tokenSha256: hash },
    })
    expect(loaded.config.node.dataDirectory).toBe(join(workingDirectory, 'data'))
    expect(loaded.warnings).toEqual([])
    expect(adminKeys(loaded)).toHaveLength(1)
    for (const name of ['config.yaml', 'secrets.yaml']) {
      expect(readFileSync(join(workingDirectory, 'data', name), 'utf8')).not.toContain(token)
    }
    expect(statSync(join(workingDirectory, 'data', 'secrets.yaml')).mode & 0o777).toBe(0o600)

    const second = await run(['start', '--dev'], { workingDirectory, ...starting(seen) })
    expect(second.err).not.toContain('east')
    expect(seen[1]![0].config).toEqual(loaded.config)
    expect(adminKeys(seen[1]![0])).toEqual(adminKeys(loaded))
  })

  it('listens on loopback only with --dev', async () => {
    const seen: Parameters<RunNode>[] = []
    await run(['start', '--dev'], { workingDirectory: temporaryDirectory(), ...starting(seen) })
    const { plugins, admin, spsp } = seen[0]![0].config
    for (const host of [
      plugins.btp.listen?.host,
      plugins['ilp-http'].listen?.host,
      admin.host,
      spsp.listen?.host,
    ]) {
      expect(host).toBe('127.0.0.1')
    }
  })

  it('tells where it listens and how to send a first payment', async () => {
    const { err } = await run(['start', '--dev'], { workingDirectory: temporaryDirectory(), ...starting() })
    expect(err).toContain(
      '  Peers connect to  btp+ws://127.0.0.1:7768\n                    http://127.0.0.1:7770\n',
    )
    expect(err).toContain(
      '  Send a first payment, 1.000000 USD, from another terminal in the same directory:\n    causeway pay bob 1000000 --from alice\n',
    )
  })

  it('prints one JSON object with --json', async () => {
    const { out, err } = await run(['start', '--dev', '--json'], {
      workingDirectory: temporaryDirectory(),
      ...starting(),
    })
    const event = JSON.parse(out) as { newTokens: Record<string, string> }
    expect(event).toMatchObject({ event: 'started', adminUrl: 'http://127.0.0.1:8080' })
    expect(Object.keys(event.newTokens)).toEqual(['east', 'west'])
    expect(err).toBe('')
  })

  it('makes an admin key when there is none, and keeps the other secrets', async () => {
    const workingDirectory = temporaryDirectory()
    writeFileSync(
      join(workingDirectory, 'causeway.yaml'),
      'node: { ilpAddress: g.me, secretsFile: s.yaml }\n',
    )
    writeFileSync(join(workingDirectory, 's.yaml'), 'other: kept\n', { mode: 0o600 })
    const seen: Parameters<RunNode>[] = []
    await run(['start'], { workingDirectory, ...starting(seen) })
    const loaded = seen[0]![0]
    expect(adminKeys(loaded)).toHaveLength(1)
    expect(loaded.secrets.resolve('secret:other')).toBe('kept')
  })

  it('can read its configuration again, with the flags it was started with', async () => {
    const workingDirectory = temporaryDirectory()
    const path = join(workingDirectory, 'causeway.yaml')
    writeFileSync(path, 'node: { ilpAddress: g.me }\n')
    const seen: Parameters<RunNode>[] = []
    await run(['start', '--set', 'admin.port=5'], { workingDirectory, ...starting(seen) })
    writeFileSync(path, 'node: { ilpAddress: g.me }\nlogging: { level: debug }\n')
    const { config } = seen[0]![1].reload()
    expect(config.logging.level).toBe('debug')
    expect(config.admin.port).toBe(5)
    writeFileSync(path, 'nonsense: 1\n')
    expect(() => seen[0]![1].reload()).toThrow('there is no such key')
  })

  it('ends with the exit code of the node, and 3 without a usable configuration', async () => {
    const workingDirectory = temporaryDirectory()
    expect((await run(['start'], { workingDirectory })).code).toBe(3)
    writeFileSync(join(workingDirectory, 'causeway.yaml'), 'node: { ilpAddress: g.me }\n')
    const crash = { loaders: { loadRunNode: async () => async () => 1 } }
    expect((await run(['start'], { workingDirectory, ...crash })).code).toBe(1)
  })
})

describe('demo', () => {
  it('hands its options over and its exit code back', async () => {
    const loaders = {
      loadRunDemo:
        async () =>
        async ({ json }: { json: boolean }) =>
          json ? 6 : 0,
    }
    expect((await run(['demo', '--json'], { loaders })).code).toBe(6)
    expect((await run(['demo'], { loaders })).code).toBe(0)
  })
})

describe('doctor', () => {
  const configure = (text: string) => {
    const workingDirectory = temporaryDirectory()
    writeFileSync(
      join(workingDirectory, 'causeway.yaml'),
      `node: { ilpAddress: g.me, dataDirectory: . }\n${text}`,
    )
    return workingDirectory
  }
  const examine = async (workingDirectory: string, env = {}) => {
    const { code, out } = await run(['doctor', '--json'], { workingDirectory, env })
    const { findings } = JSON.parse(out) as {
      findings: { check: string; status: string; message: string; fix?: string }[]
    }
    return { code, find: (check: string) => findings.find((finding) => finding.check === check) }
  }

  it('finds nothing in the way of a good set-up', async () => {
    const workingDirectory = configure('admin: { port: 0 }\n')
    new DatabaseSync(join(workingDirectory, 'ledger.db')).exec('CREATE TABLE t (x)')
    const { code, find } = await examine(workingDirectory)
    expect(code).toBe(0)
    expect(find('database')).toMatchObject({ status: 'ok', message: 'ledger.db is whole' })
    expect(find('data directory')?.message).toContain('is writable; fsync takes')
    expect((await run(['doctor'], { workingDirectory })).out).toContain('nothing is in the way of the node')
  })

  it('finds a port in use by another program', async () => {
    const server = createServer()
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    onTestFinished(() => void server.close())
    server.on('connection', (socket) => socket.destroy())
    const { port } = server.address() as { port: number }
    const { code, find } = await examine(configure(`admin: { port: ${port} }\n`))
    expect(code).toBe(1)
    expect(find('port admin')).toMatchObject({
      status: 'failed',
      message: `127.0.0.1:${port} is in use by another program`,
    })
  })

  it('knows the port of the node itself', async () => {
    const node = await stubNode({ 'GET /health/live': () => ({ body: { status: 'alive' } }) })
    const { code, find } = await examine(configure(`admin: { port: ${new URL(node.url).port} }\n`))
    expect(code).toBe(0)
    expect(find('node process')?.message).toBe('runs')
    expect(find('port admin')?.status).toBe('ok')
  })

  it('finds key files of an engine that a start would refuse', async () => {
    const workingDirectory = configure(EVM_SECTION)
    const found = async () => (await examine(workingDirectory)).find('engine keys')
    expect(await found()).toMatchObject({
      status: 'failed',
      message: expect.stringMatching(/^settlement\.engines\.evm\.keys\.fundingKeyFile: .*ENOENT/),
    })
    writeFileSync(join(workingDirectory, 'funding'), '11'.repeat(32), { mode: 0o600 })
    writeFileSync(join(workingDirectory, 'claim'), '22'.repeat(32), { mode: 0o644 })
    expect((await found())?.message).toContain('Run: chmod 600')
    chmodSync(join(workingDirectory, 'claim'), 0o600)
    expect(await found()).toMatchObject({ status: 'ok', message: expect.stringContaining('evm: funding 0x') })
  })

  it('finds a damaged database', async () => {
    const workingDirectory = configure('admin: { port: 0 }\n')
    const path = join(workingDirectory, 'ledger.db')
    const database = new DatabaseSync(path)
    database.exec('CREATE TABLE t (x); CREATE INDEX i ON t (x)')
    database.exec(
      `INSERT INTO t VALUES ${Array.from({ length: 2000 }, () => "('abcdefghijklmnop')").join(',')}`,
    )
    database.close()
    const bytes = readFileSync(path)
    bytes.fill(0x5a, 4096 * 3, 4096 * 6)
    writeFileSync(path, bytes)
    const { code, find } = await examine(workingDirectory)
    expect(code).toBe(1)
    expect(find('database')?.status).toBe('failed')
  })

  it('finds a configuration that cannot be used, secrets that others can read, and a clock that is wrong', async () => {
    expect((await examine(configure('nonsense: 1\n'))).find('configuration')?.status).toBe('failed')
    const open = configure('')
    writeFileSync(join(open, 'secrets.yaml'), 'a: b\n', { mode: 0o644 })
    expect((await examine(open)).find('secrets')?.message).toContain('Run: chmod 600')
    const { out } = await run(['doctor', '--json'], {
      workingDirectory: configure('admin: { port: 0 }\n'),
      now: () => 0,
    })
    expect(out).toContain('the clock says 1970-01-01T00:00:00.000Z')
  })

  it('finds a cluster that does not answer, and a server of another version than the client', async () => {
    const workingDirectory = configure(
      'admin: { port: 0 }\nledger: { backend: tigerbeetle, tigerbeetle: { addresses: ["127.0.0.1:1"] } }\n',
    )
    const program = join(workingDirectory, 'tigerbeetle')
    writeFileSync(program, '#!/bin/sh\necho "TigerBeetle version 0.1.2+abc"\n', { mode: 0o755 })
    const { code, find } = await examine(workingDirectory, { TIGERBEETLE_BIN: program })
    expect(code).toBe(1)
    expect(find('tigerbeetle')).toMatchObject({
      status: 'failed',
      message: 'replica 127.0.0.1:1 does not answer (ECONNREFUSED)',
    })
    expect(find('tigerbeetle program')).toMatchObject({ status: 'warning' })
  })
})

describe('completion', () => {
  it.each(['bash', 'zsh'])('prints a script that bash can read: %s', async (shell) => {
    const { code, out } = await run(['completion', shell])
    expect(code).toBe(0)
    execFileSync('bash', ['-n'], { input: out })
  })

  it('completes commands, their commands, and options in bash', async () => {
    const { out } = await run(['completion', 'bash'])
    const complete = (...words: string[]) => {
      const list = words.map((word) => `'${word}'`).join(' ')
      const script = `${out}\nCOMP_WORDS=(${list}); COMP_CWORD=${words.length - 1}; _causeway; echo "\${COMPREPLY[*]}"`
      return execFileSync('bash', ['-c', script], { encoding: 'utf8' }).trim().split(' ')
    }
    expect(complete('causeway', 'sta')).toEqual(['start', 'status'])
    expect(complete('causeway', 'peers', '')).toEqual(
      expect.arrayContaining(['list', 'show', 'add', 'change', 'remove']),
    )
    expect(complete('causeway', 'peers', 'add', 'x', '--re')).toEqual(['--relation'])
  })

  it('prints a script for fish, quoted', async () => {
    const { out } = await run(['completion', 'fish'])
    expect(out).toContain("complete -c causeway -n __fish_use_subcommand -f -a status -d '")
    expect(out).toContain(
      "complete -c causeway -n '__fish_seen_subcommand_from peers; and __fish_seen_subcommand_from add' -l relation -d '",
    )
    expect(out.split("'").length % 2).toBe(1)
  })

  it('knows no other shell', async () => {
    expect((await run(['completion', 'tcsh'])).code).toBe(2)
  })
})

import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { createInterface } from 'node:readline'
import { beforeAll, describe, expect, it } from 'vitest'
import type { StartedInfo } from '../../../src/config/run-options.ts'
import { run } from './cli-helpers.ts'

/** Every command against a real development node in a process of its own, on free ports. */
describe('the commands and a real node', () => {
  const workingDirectory = mkdtempSync(join(tmpdir(), 'causeway-test-'))
  const ports = ['plugins.btp.listen.port', 'plugins.ilp-http.listen.port', 'spsp.listen.port', 'admin.port']
  const free = ports.flatMap((path) => ['--set', `${path}=0`])
  let info: StartedInfo
  const onNode = (...args: string[]) =>
    run(args, {
      workingDirectory,
      env: { CAUSEWAY_URL: info.adminUrl },
      now: Date.now,
      sleep: (ms) => new Promise((done) => setTimeout(done, ms)),
    })

  beforeAll(async () => {
    const args = [resolve('bin/causeway.mjs'), 'start', '--dev', '--json', ...free]
    const node = spawn(process.execPath, args, {
      cwd: workingDirectory,
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    const ended = new Promise((done) => node.once('close', done))
    for await (const line of createInterface({ input: node.stdout })) {
      if (!line.startsWith('{"event":"started"')) continue
      info = JSON.parse(line) as StartedInfo
      break
    }
    node.stdout.resume()
    return async () => {
      node.kill('SIGTERM')
      const code = await ended
      rmSync(workingDirectory, { recursive: true, force: true })
      expect(code).toBe(0)
    }
  })

  it('know its state', async () => {
    const { code, out } = await onNode('status')
    expect(code).toBe(0)
    expect(out).toContain('node:       local-node')
    expect(out).toContain('peers:      0 of 2 connected')
    expect(out).toContain('health:     healthy')
  })

  it('pay from alice to bob, and find the money in the books', async () => {
    const paid = await onNode('pay', 'bob', '1000000', '--from', 'alice', '--json')
    expect(paid.code).toBe(0)
    const { delivered } = JSON.parse(paid.out) as { delivered: string }
    const { code, out } = await onNode('balances', '--json')
    expect(code).toBe(0)
    const { accounts } = JSON.parse(out) as { accounts: { id: string; balance: string }[] }
    const balance = (id: string) => accounts.find((account) => account.id === id)?.balance
    expect(balance('alice')).toBe('-1000000')
    expect(balance('bob')).toBe(delivered)
    expect((await onNode('history', 'bob')).out).toContain(delivered)
  })

  it('ping it, and learn that nobody is behind an unknown address', async () => {
    expect((await onNode('ping', 'test.local-node')).code).toBe(0)
    const nobody = await onNode('ping', 'test.nobody.at-all')
    expect(nobody.code).toBe(6)
    expect(nobody.out).toContain('F02 by test.local-node')
  })

  it('add, change and remove peers and routes', async () => {
    const hash = 'a'.repeat(64)
    const added = await onNode(
      'peers',
      'add',
      'north',
      '--relation',
      'peer',
      '--asset',
      'USD',
      '--scale',
      '6',
      '--plugin',
      'btp',
      '--link',
      'mode=server',
      '--link',
      `tokenSha256=${hash}`,
      '--credit-limit',
      '500',
    )
    expect(added).toMatchObject({ code: 0, err: '' })
    expect(
      (
        await onNode(
          'peers',
          'change',
          'north',
          '--credit-limit',
          '700',
          '--field',
          'limits.packetsPerSecond=5',
        )
      ).code,
    ).toBe(0)
    const shown = JSON.parse((await onNode('peers', 'show', 'north', '--json')).out) as object
    expect(shown).toMatchObject({
      creditLimit: '700',
      source: 'admin',
      settings: { limits: { packetsPerSecond: 5 } },
    })
    expect((await onNode('routes', 'add', 'test.north', 'north')).code).toBe(0)
    expect((await onNode('routes', 'resolve', 'test.north.x')).out).toContain(
      'goes to north, by test.north (admin)',
    )
    expect((await onNode('routes', 'remove', 'test.north')).code).toBe(0)
    expect((await onNode('peers', 'remove', 'north')).code).toBe(0)
    expect((await onNode('peers', 'show', 'north')).code).toBe(5)
  })

  it('see that nothing settles where no engine is configured', async () => {
    expect((await onNode('settlements')).out).toBe('no such settlements\n')
    expect((await onNode('settlements', 'accounts')).out).toBe('no account settles\n')
    expect((await onNode('settlements', 'suspense')).out).toBe('nothing is in suspense\n')
    expect((await onNode('channels')).out).toBe('no such channels\n')
    expect((await onNode('settlements', 'settle-now', 'alice')).code).toBe(5)
    expect((await onNode('channels', 'close', '0x1')).code).toBe(5)
  })

  it('show rates, metrics and the log level, and change and reload', async () => {
    expect((await onNode('rates', 'EUR', 'USD')).out).toBe('1 EUR buys 1.08 USD, before spread\n')
    expect((await onNode('metrics', '--list')).out).toContain('ilp_packets_processed_total')
    expect((await onNode('log-level', 'warn')).out).toBe('warn\n')
    const reloaded = await onNode('reload')
    expect(reloaded).toMatchObject({ code: 0, err: '' })
  })

  it('receive money at a payment pointer that was just opened', async () => {
    const receiving = onNode(
      'receive',
      '--name',
      'till',
      '--asset',
      'USD',
      '--scale',
      '2',
      '--until',
      '100',
      '--json',
    )
    for (let attempt = 0; attempt < 100; attempt++) {
      const paid = await onNode('pay', 'till', '1000000', '--from', 'alice', '--json')
      if (paid.code === 0) break
    }
    const { code, out } = await receiving
    expect(code).toBe(0)
    expect(out.trim().split('\n').at(-1)).toContain('"balance":"100"')
  })
})

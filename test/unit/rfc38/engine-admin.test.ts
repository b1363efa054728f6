import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { systemClock } from '../../../src/lib/clock.ts'
import { silentLogger } from '../../../src/lib/logger.ts'
import { EngineUnavailableError, ResumeRefusedError } from '../../../src/settlement/engine.ts'
import { EngineAdmin } from '../../../src/settlement/rfc38/engine-admin.ts'
import { waitFor } from '../../support/wait-for.ts'
import { ConnectorDouble, post } from './support/connector-double.ts'
import { ServerBench } from './support/server-bench.ts'

interface Reply {
  data: { accounts: unknown[] }
  error?: { code: string; message: string }
}

describe('what operators ask of a served engine', () => {
  let directory: string
  let connector: ConnectorDouble
  let bench: ServerBench
  let admin: EngineAdmin

  beforeEach(async () => {
    directory = mkdtempSync(join(tmpdir(), 'causeway-rfc38-'))
    connector = new ConnectorDouble(9)
    await connector.start()
    bench = new ServerBench(directory, connector.url)
    await bench.server.start()
    const { engine, journal, server } = bench
    const deps = { engine, journal, server, clock: systemClock, logger: silentLogger }
    admin = new EngineAdmin({ port: 0, token: 'operator' }, deps)
    await admin.start()
    await fetch(`${bench.server.url()}/accounts`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: '{"id":"alice"}',
    })
  })
  afterEach(async () => {
    await admin.stop()
    await bench.server.stop()
    await connector.stop()
    rmSync(directory, { recursive: true, force: true })
  })

  async function ask(method: string, path: string, body?: unknown, token = 'operator') {
    const response = await fetch(`${admin.url()}/api/admin${path}`, {
      method,
      headers: { 'content-type': 'application/json', authorization: `Bearer ${token}` },
      ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    })
    const reply = (await response.json()) as Reply
    return {
      status: response.status,
      data: reply.data,
      code: reply.error?.code,
      message: reply.error?.message,
    }
  }

  it('shows accounts with what waits, and why', async () => {
    bench.refuses = () => true
    const request = { account: 'alice', key: 'k', amount: 1_500n, scale: 6 }
    expect(await post(bench.server.url()!, request, false)).toBe(201)
    await waitFor('the refusal', () => bench.journal.accounts(1)[0]?.problem !== undefined)
    const { data } = await ask('GET', '/engine')
    expect(data).toMatchObject({
      name: 'book',
      healthy: true,
      ordersToGive: 0,
      creditsToTell: 0,
      suspended: 0,
    })
    expect(data.accounts).toMatchObject([
      {
        id: 'alice',
        state: 'open',
        problem: 'the network refuses it',
        pending: { amount: '1500', scale: 6 },
      },
    ])
  })

  it('tells why the engine moves no money, and resumes it', async () => {
    expect((await ask('GET', '/engine')).data).not.toHaveProperty('trouble')
    expect(await ask('POST', '/engine/resume', {})).toMatchObject({ status: 501, code: 'NOT_SUPPORTED' })
    let trouble: string | undefined = 'another process uses the key'
    let fault: Error | undefined = new EngineUnavailableError('no node shows nonce 6')
    Object.assign(bench.engine, {
      trouble: () => trouble,
      resume: async () => {
        if (fault !== undefined) throw fault
        if (trouble === undefined) throw new ResumeRefusedError('the engine is not halted')
        trouble = undefined
      },
    })
    expect((await ask('GET', '/engine')).data).toMatchObject({ healthy: true, trouble })
    const away = { status: 503, message: 'no node shows nonce 6' }
    expect(await ask('POST', '/engine/resume', {})).toMatchObject(away)
    fault = undefined
    expect(await ask('POST', '/engine/resume', {}, 'connector')).toMatchObject({ status: 401 })
    expect((await ask('POST', '/engine/resume', {})).data).toEqual({ name: 'book' })
    const refusal = { status: 409, code: 'CONFLICT', message: 'the engine is not halted' }
    expect(await ask('POST', '/engine/resume', {})).toMatchObject(refusal)
  })

  it('refuses those without the token, unknown paths and bad fields, with a code', async () => {
    expect(await ask('GET', '/engine', undefined, 'connector')).toMatchObject({ status: 401 })
    expect(await ask('GET', '/peers')).toMatchObject({ status: 404, code: 'RESOURCE_NOT_FOUND' })
    expect(await ask('POST', '/suspense/attribute', '{')).toMatchObject({
      status: 400,
      code: 'VALIDATION_ERROR',
    })
    expect(await ask('POST', '/suspense/attribute', { creditId: 'x' })).toMatchObject({
      status: 400,
      message: '"accountId" must be a string',
    })
    const nobody = { creditId: 'x', accountId: 'alice' }
    expect(await ask('POST', '/suspense/attribute', nobody)).toMatchObject({ status: 404 })
    const unsupported = { status: 501, code: 'NOT_SUPPORTED' }
    expect(await ask('POST', '/channels/claim', { channelId: '0x1' })).toMatchObject(unsupported)
    const long = { creditId: 'x'.repeat(5_000), accountId: 'alice' }
    expect(await ask('POST', '/suspense/attribute', long)).toMatchObject({ status: 413 })
  })
})

describe('the health of a served engine', () => {
  it('is 503 while its network is away, whoever asks', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'causeway-rfc38-'))
    const bench = new ServerBench(directory, 'http://127.0.0.1:9', 'a-token')
    bench.engine.probe = async () => await Promise.reject(new Error('the network is away'))
    try {
      await bench.server.start()
      const response = await fetch(`${bench.server.url()}/health`)
      expect([response.status, await response.json()]).toEqual([503, { status: 'unhealthy' }])
      expect((await fetch(`${bench.server.url()}/health`, { method: 'HEAD' })).status).toBe(503)
      expect((await fetch(`${bench.server.url()}/health`, { method: 'POST' })).status).toBe(401)
      await bench.restart()
      expect((await fetch(`${bench.server.url()}/health`)).status).toBe(200)
    } finally {
      await bench.server.stop()
      rmSync(directory, { recursive: true, force: true })
    }
  })
})

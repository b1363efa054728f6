import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { onTestFinished } from 'vitest'
import type { CliIo, CliLoaders } from '../../../src/cli/cli-io.ts'
import { cliLoaders } from '../../../src/cli/cli-loaders.ts'
import { runCli } from '../../../src/cli/run-cli.ts'

export interface StubIo extends CliIo {
  out: string
  err: string
  interrupt(): void
}

/** A world for commands: collected output, a clock that sleeping moves, Ctrl-C on demand. */
export function stubIo(overrides: Partial<CliIo> & { isTty?: boolean } = {}): StubIo {
  const controller = new AbortController()
  let nowMs = Date.UTC(2026, 5, 1)
  const isTty = overrides.isTty ?? false
  const io: StubIo = {
    out: '',
    err: '',
    interrupt: () => controller.abort(),
    stdout: {
      isTty,
      write: (text) => {
        io.out += text
      },
    },
    stderr: {
      isTty,
      write: (text) => {
        io.err += text
      },
    },
    stdin: {
      isTty,
      ask: async () => '',
      readAll: async () => '',
    },
    env: {},
    workingDirectory: '/nonexistent',
    commandName: 'causeway',
    interrupted: controller.signal,
    now: () => nowMs,
    sleep: async (ms) => {
      nowMs += ms
    },
    ...overrides,
  }
  return io
}

export interface StubRequest {
  method: string
  /** With the query. */
  path: string
  headers: IncomingMessage['headers']
  body: unknown
}

interface StubReply {
  status?: number
  body: unknown
}

type Handler = (request: StubRequest) => StubReply | unknown

export interface StubNode {
  url: string
  requests: StubRequest[]
}

/** An admin API on loopback that answers from a table of `METHOD /path` (without /api/admin and query). */
export async function stubNode(routes: Record<string, Handler>): Promise<StubNode> {
  const requests: StubRequest[] = []
  const server = createServer((request, response) => {
    const parts: Buffer[] = []
    request.on('data', (part: Buffer) => parts.push(part))
    request.on('end', () => {
      const text = Buffer.concat(parts).toString('utf8')
      const url = new URL(request.url ?? '', 'http://stub')
      const path = url.pathname.replace(/^\/api\/admin/, '')
      const method = request.method ?? ''
      const stub = {
        method,
        path: `${path}${url.search}`,
        headers: request.headers,
        body: text === '' ? undefined : (JSON.parse(text) as unknown),
      }
      requests.push(stub)
      const handler = routes[`${method} ${path}`]
      const { status, body } = handler === undefined ? NOT_FOUND : toReply(handler(stub))
      if (body === DESTROY) {
        request.socket.destroy()
        return
      }
      response.statusCode = status ?? 200
      response.setHeader('content-type', typeof body === 'string' ? 'text/plain' : 'application/json')
      response.end(typeof body === 'string' ? body : JSON.stringify(body))
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  const { port } = server.address() as AddressInfo
  return { url: `http://127.0.0.1:${port}`, requests }
}

/** A reply with data in the envelope of the API. */
export function ok(data: unknown): StubReply {
  const list = Array.isArray(data) ? { count: data.length, pagination: { total: data.length } } : {}
  return { body: { success: true, data, ...list, timestamp: '2026-06-01T00:00:00.000Z' } }
}

export function refused(status: number, code: string, message: string, details?: unknown): StubReply {
  return {
    status,
    body: { success: false, data: null, error: { code, message, details }, statusCode: status },
  }
}

const DESTROY = Symbol('destroy')
/** The connection ends without an answer. */
export const hangUp: StubReply = { body: DESTROY }

const NOT_FOUND = refused(404, 'RESOURCE_NOT_FOUND', 'no such path')

function toReply(value: unknown): StubReply {
  return typeof value === 'object' && value !== null && 'body' in value ? value : { body: value }
}

/** A node that ends at once, and a demonstration that works. */
export const STUB_LOADERS: CliLoaders = {
  loadRunNode: async () => async () => 0,
  loadRunEngine: async () => async () => 0,
  loadRunDemo: async () => async () => 0,
  loadRunSettleDemo: async () => async () => 0,
  loadEvmTools: cliLoaders.loadEvmTools,
}

/** Runs a command line against a stub node; the token comes from the environment. */
export async function runOn(
  node: { url: string },
  args: string[],
  overrides: Parameters<typeof stubIo>[0] = {},
) {
  const io = stubIo({
    ...overrides,
    env: { CAUSEWAY_URL: node.url, CAUSEWAY_TOKEN: 'token-of-the-test', ...overrides.env },
  })
  const code = await runCli(args, io, STUB_LOADERS)
  return { code, out: io.out, err: io.err }
}

/** Runs a command line without a node. */
export async function run(
  args: string[],
  overrides: Parameters<typeof stubIo>[0] & { loaders?: Partial<CliLoaders> } = {},
) {
  const { loaders, ...rest } = overrides
  const io = stubIo(rest)
  const code = await runCli(args, io, { ...STUB_LOADERS, ...loaders })
  return { code, out: io.out, err: io.err }
}

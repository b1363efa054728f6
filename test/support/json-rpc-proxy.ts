import { once } from 'node:events'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'

interface Question {
  readonly id: unknown
  readonly method: string
  readonly params: readonly unknown[]
}

/**
 * What goes wrong with a question:
 * - `drop-request`: the node never sees it, the connection is cut
 * - `drop-reply`: the node carries it out, the connection is cut
 * - `delay`: the answer comes late
 * - `rate-limit`: HTTP 429
 * - `server-error`: HTTP 503
 * - `rubbish`: an answer that is no JSON; `truncated`: one that ends in the middle; `huge`: one that does not end
 * - `hang`: no answer, ever
 * - `result`: another result; `error`: a JSON-RPC error instead of one
 */
export type Fault =
  | { readonly kind: 'drop-request' | 'drop-reply' | 'rate-limit' | 'server-error' }
  | { readonly kind: 'rubbish' | 'truncated' | 'huge' | 'hang' }
  | { readonly kind: 'delay'; readonly ms: number }
  | { readonly kind: 'result'; readonly result: unknown }
  | { readonly kind: 'error'; readonly code: number; readonly message: string }

/** More than any client should read. */
const HUGE_BYTES_MAX = 256 * 1024 * 1024
const CHUNK = Buffer.alloc(1024 * 1024, ' ')

/** Which fault meets a question, if any; counted by the caller. */
export type FaultPlan = (question: Question) => Fault | undefined

/** Between a client and a JSON-RPC node, on loopback: does to each question what its plan says. */
export class JsonRpcProxy {
  /** Methods of all questions that came, in order. */
  readonly seen: string[] = []
  plan: FaultPlan = () => undefined
  /** The node's head lags behind by so many blocks. */
  lagBlocks = 0
  /** The node's head stands still there, when it is set. */
  stuckAt: number | undefined
  /** Where questions go; may lead elsewhere later. */
  target: string
  readonly #server: Server
  #lagHead = 0

  private constructor(target: string) {
    this.target = target
    this.#server = createServer((request, response) => {
      this.#serve(request, response).catch(() => response.destroy())
    })
  }

  static async start(target: string): Promise<JsonRpcProxy> {
    const proxy = new JsonRpcProxy(target)
    proxy.#server.listen(0, '127.0.0.1')
    await once(proxy.#server, 'listening')
    return proxy
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections()
    this.#server.close()
    await once(this.#server, 'close')
  }

  /** The fault, for the first `count` questions of a method; nothing for all others. */
  failFirst(method: string, count: number, fault: Fault): void {
    let left = count
    this.plan = (question) => (question.method === method && left-- > 0 ? fault : undefined)
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk as Buffer)
    const body = JSON.parse(Buffer.concat(chunks).toString()) as Question | Question[]
    const questions = Array.isArray(body) ? body : [body]
    this.seen.push(...questions.map(({ method }) => method))
    const faults = questions.map((question) => this.plan(question))
    const fault = faults.find((one) => one !== undefined)
    if (fault?.kind === 'drop-request') return void response.destroy()
    if (fault?.kind === 'hang') return
    if (fault?.kind === 'server-error') return void response.writeHead(503).end('out of order')
    if (fault?.kind === 'rate-limit') return void response.writeHead(429).end('too many requests')
    if (fault?.kind === 'rubbish') return void response.writeHead(200).end('<html>welcome</html>')
    if (fault?.kind === 'delay') await delay(fault.ms)
    const answers = await Promise.all(
      questions.map((question, index) => this.#answer(question, faults[index])),
    )
    if (fault?.kind === 'drop-reply') return void response.destroy()
    if (fault?.kind === 'huge') return await endlessly(response)
    response.writeHead(200, { 'content-type': 'application/json' })
    const text = JSON.stringify(Array.isArray(body) ? answers : answers[0])
    response.end(fault?.kind === 'truncated' ? text.slice(0, text.length >> 1) : text)
  }

  async #answer(question: Question, fault: Fault | undefined): Promise<unknown> {
    const { id } = question
    if (fault?.kind === 'result') return { jsonrpc: '2.0', id, result: fault.result }
    if (fault?.kind === 'error') {
      return { jsonrpc: '2.0', id, error: { code: fault.code, message: fault.message } }
    }
    return this.lagBlocks > 0 || this.stuckAt !== undefined
      ? await this.#lagging(question)
      : await this.#forward(question)
  }

  /** As a node would answer that has not seen the newest blocks: it knows nothing of them, and says "no logs". */
  async #lagging(question: Question): Promise<unknown> {
    const answered = (result: unknown) => ({ jsonrpc: '2.0', id: question.id, result })
    const newest = (await this.#forward({ id: 0, method: 'eth_blockNumber', params: [] })) as {
      result: string
    }
    this.#lagHead = this.stuckAt ?? Math.max(Number(newest.result) - this.lagBlocks, 0)
    const behind = (blocks: number) => `0x${Math.max(this.#lagHead - blocks, 0).toString(16)}`
    const head = behind(0)
    if (question.method === 'eth_blockNumber') return answered(head)
    const names = new Map<unknown, string>([
      ['latest', head],
      ['pending', head],
      ['safe', behind(1)],
      ['finalized', behind(2)],
    ])
    const params = question.params.map((param) => names.get(param) ?? param)
    if (question.method === 'eth_getBlockByNumber' && String(params[0]).startsWith('0x')) {
      if (Number(params[0]) > this.#lagHead) return answered(null)
    }
    if (question.method === 'eth_getLogs') {
      const filter = params[0] as { fromBlock: string; toBlock: string }
      if (Number(filter.fromBlock) > this.#lagHead) return answered([])
      const toBlock = Number(filter.toBlock) > this.#lagHead ? head : filter.toBlock
      return await this.#forward({ ...question, params: [{ ...filter, toBlock }] })
    }
    const reply = (await this.#forward({ ...question, params })) as {
      result?: { blockNumber?: string } | null
    }
    const isBeyond = Number(reply.result?.blockNumber ?? 0) > this.#lagHead
    return isBeyond ? answered(null) : reply
  }

  async #forward(question: Question): Promise<unknown> {
    const response = await fetch(this.target, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ ...question, jsonrpc: '2.0' }),
    })
    return await response.json()
  }
}

/** Sends until the other side has had enough. */
async function endlessly(response: ServerResponse): Promise<void> {
  response.writeHead(200, { 'content-type': 'application/json' })
  for (let sent = 0; sent < HUGE_BYTES_MAX && !response.destroyed; sent += CHUNK.length) {
    if (response.write(CHUNK)) continue
    const settled = new AbortController()
    const { signal } = settled
    await Promise.race([once(response, 'drain', { signal }), once(response, 'close', { signal })])
    settled.abort()
  }
  response.end()
}

import { createServer } from 'node:http'
import { describe, expect, it } from 'vitest'
import { JsonRpcEndpoint } from '../../../settlement-engines/evm/json-rpc-endpoint.ts'
import { secretsOf } from '../../../settlement-engines/evm/url-secrets.ts'

const PATH = '/v3/path-canary-1?key=query-canary-2'
const USER = 'user-canary-3:pass%20canary-4'

describe("secrets of a node's URL", () => {
  it('are user, password, path and query, whole and in parts', () => {
    const secrets = secretsOf(new URL(`https://${USER}@rpc.test${PATH}`))
    for (const part of [
      'path-canary-1',
      'query-canary-2',
      'user-canary-3',
      'pass canary-4',
      'pass%20canary-4',
      PATH,
    ]) {
      expect(secrets).toContain(part)
    }
    expect(secrets).not.toContain('v3')
    expect(secrets).not.toContain('rpc.test')
  })

  it('are none in a URL without any', () => {
    expect(secretsOf(new URL('http://127.0.0.1:8545/'))).toEqual([])
  })

  it('are not in what a node repeats of them', async () => {
    const said = (url: string) => [
      { error: { code: -32_000, message: `invalid project id path-canary-1` } },
      { error: { code: -32_000, message: `${'x'.repeat(190)}path-canary-1 pass canary-4` } },
      { error: { code: -32_000, message: `no such route ${url} for user-canary-3` } },
      { error: { code: -32_005, message: `request rate of query-canary-2` } },
    ]
    let answers: unknown[] = []
    const server = createServer((request, response) => {
      request.resume()
      request.on('end', () =>
        response.end(JSON.stringify({ jsonrpc: '2.0', id: 1, ...(answers.shift() as object) })),
      )
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    try {
      const address = server.address()
      const host = `127.0.0.1:${typeof address === 'object' ? address?.port : 0}`
      const url = `http://${USER}@${host}${PATH}`
      const endpoint = new JsonRpcEndpoint({ url, deadlineMs: 5_000 })
      answers = said(PATH)
      for (let turn = answers.length; turn > 0; turn--) {
        const request = endpoint.request({ method: 'eth_chainId', params: [] }, AbortSignal.timeout(5_000))
        const error = await request.catch((reason: unknown) => reason)
        expect(String(error)).toContain(host)
        expect(String(error)).not.toContain('canary')
      }
    } finally {
      await new Promise((resolve) => server.close(resolve))
    }
  })

  it('are not in the refusal of what is no URL', () => {
    expect(() => new JsonRpcEndpoint({ url: 'canary key', deadlineMs: 1 })).toThrow(/^(?!.*canary)/)
  })
})

/**
 * Passes what is POSTed to `/payers/i` on to payee `i` with node:http and undici's `dispatch`, and the reply back: no
 * ILP, no credentials checked, no books. What a connector over these could reach if its own work were free.
 *
 *     node bench/relays/bare-http-relay.ts <port> <bearer token to send> <URL of payee 0> [URL of payee 1] ...
 */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { type Dispatcher, Pool } from 'undici'

/** Connections to each payee: as many as an ILP-over-HTTP link of the product keeps. */
const CONNECTIONS = 64
/** Pause between looks for a payee that does not answer yet, milliseconds. */
const PROBE_PAUSE_MS = 100
const PATH_PREFIX_LENGTH = '/payers/'.length
const CONTENT_TYPE = 'application/octet-stream'

const [port, token, ...payeeUrls] = process.argv.slice(2)

/** Where the packets of one payer go. */
class Payee {
  readonly #pool: Pool
  readonly #path: string
  readonly #headers = [
    'content-type',
    CONTENT_TYPE,
    'accept',
    CONTENT_TYPE,
    'authorization',
    `Bearer ${token}`,
  ]

  constructor(url: URL) {
    this.#pool = new Pool(url.origin, {
      connections: CONNECTIONS,
      pipelining: 1,
      headersTimeout: 0,
      bodyTimeout: 0,
    })
    this.#path = url.pathname
    this.#probe()
  }

  post(body: Buffer, response: ServerResponse): void {
    const options = { path: this.#path, method: 'POST', headers: this.#headers, body } as const
    this.#pool.dispatch(options, new Relayed(response))
  }

  /** Shows itself to the payee, as connectors do: the load waits for that. */
  #probe(): void {
    this.#pool.request({ path: this.#path, method: 'OPTIONS' }).then(
      ({ body }) => body.dump(),
      () => setTimeout(() => this.#probe(), PROBE_PAUSE_MS),
    )
  }
}

/** Takes the reply of a payee and gives it to the payer. */
class Relayed implements Dispatcher.DispatchHandler {
  readonly #response: ServerResponse
  readonly #chunks: Buffer[] = []
  #status = 0

  constructor(response: ServerResponse) {
    this.#response = response
  }

  onConnect(): void {}

  onHeaders(status: number): boolean {
    this.#status = status
    return true
  }

  onData(chunk: Buffer): boolean {
    this.#chunks.push(chunk)
    return true
  }

  onComplete(): void {
    const body = joined(this.#chunks)
    this.#response.writeHead(this.#status, [
      'content-type',
      CONTENT_TYPE,
      'content-length',
      String(body.length),
    ])
    // As text of one byte per character it leaves with the head in one write.
    this.#response.end(body.toString('latin1'), 'latin1')
  }

  onError(): void {
    this.#response.writeHead(502, ['content-length', '0'])
    this.#response.end()
  }
}

function joined(chunks: Buffer[]): Buffer {
  return chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks)
}

const payees = payeeUrls.map((url) => new Payee(new URL(url)))
const server = createServer({ noDelay: true }, (request: IncomingMessage, response) => {
  const payee = payees[Number(request.url!.slice(PATH_PREFIX_LENGTH))]!
  const chunks: Buffer[] = []
  request.on('data', (chunk: Buffer) => chunks.push(chunk))
  request.on('end', () => payee.post(joined(chunks), response))
})
server.listen(Number(port), '127.0.0.1')
process.once('SIGTERM', () => process.exit())

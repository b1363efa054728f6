import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { StreamCredentials } from './stream-ends.ts'

/** A third party's payment pointer (RFC 9), plain node:http. */
export class SpspEndpoint {
  readonly #server: Server

  private constructor(credentials: () => StreamCredentials) {
    this.#server = createServer((_request, response) => {
      const { destinationAccount, sharedSecret } = credentials()
      response.writeHead(200, { 'content-type': 'application/spsp4+json', 'cache-control': 'no-cache' })
      response.end(
        JSON.stringify({
          destination_account: destinationAccount,
          shared_secret: sharedSecret.toString('base64'),
        }),
      )
    })
  }

  static async start(credentials: () => StreamCredentials): Promise<SpspEndpoint> {
    const endpoint = new SpspEndpoint(credentials)
    await new Promise<void>((resolve) => endpoint.#server.listen(0, '127.0.0.1', resolve))
    return endpoint
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/bob`
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections()
    await new Promise<void>((resolve) => this.#server.close(() => resolve()))
  }
}

/** Asks an endpoint for a fresh address and secret. */
export async function querySpsp(url: string): Promise<StreamCredentials> {
  const response = await fetch(url, { headers: { accept: 'application/spsp4+json' } })
  const reply = (await response.json()) as { destination_account: string; shared_secret: string }
  return {
    destinationAccount: reply.destination_account,
    sharedSecret: Buffer.from(reply.shared_secret, 'base64'),
  }
}

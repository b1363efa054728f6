import { createConnection, createServer, type DataAndMoneyStream, type Server } from 'ilp-protocol-stream'
import type { Plugin } from './wallets.ts'

export interface StreamCredentials {
  destinationAccount: string
  sharedSecret: Buffer
}

/** ilp-protocol-stream's server, taking whatever comes. */
export class StreamReceiver {
  readonly #server: Server
  #received = 0n

  private constructor(server: Server) {
    this.#server = server
    server.on('connection', (connection) => {
      connection.on('stream', (stream: DataAndMoneyStream) => {
        stream.setReceiveMax('18446744073709551615')
        stream.on('money', (amount: string) => {
          this.#received += BigInt(amount)
        })
      })
    })
  }

  static async start(plugin: Plugin): Promise<StreamReceiver> {
    return new StreamReceiver(await createServer({ plugin }))
  }

  /** What the application above the server was told, in units of its account. */
  get received(): bigint {
    return this.#received
  }

  /** Lets another plugin pay here. */
  payFrom(plugin: Plugin, amount: bigint): Promise<Paid> {
    return payOverStream(plugin, this.credentials(), amount)
  }

  credentials(): StreamCredentials {
    return this.#server.generateAddressAndSecret()
  }
}

/** What was paid, as the client knows it. */
export interface Paid {
  sent: bigint
  delivered: bigint
}

/** Pays with ilp-protocol-stream's client; both amounts as the client knows them. */
export async function payOverStream(plugin: Plugin, to: StreamCredentials, amount: bigint): Promise<Paid> {
  const connection = await createConnection({ plugin, ...to, slippage: 0.02 })
  const stream = connection.createStream()
  await stream.sendTotal(amount.toString(), { timeout: 20_000 })
  await connection.end()
  return { sent: BigInt(connection.totalSent), delivered: BigInt(connection.totalDelivered) }
}

import { randomBytes } from 'node:crypto'
import { type StreamCredentials, StreamServer } from '@interledger/stream-receiver'
import { deserializeIlpPrepare, serializeIlpReply } from 'ilp-packet'
import { fetch as fetchIldcp } from 'ilp-protocol-ildcp'
import type { Plugin } from './wallets.ts'

/** @interledger/stream-receiver behind a plugin: accepts all money that fits its secret. */
export class InProcessReceiver {
  readonly #server: StreamServer
  readonly #asset: { code: string; scale: number }
  #received = 0n

  private constructor(server: StreamServer, asset: { code: string; scale: number }) {
    this.#server = server
    this.#asset = asset
  }

  /** Asks the node for the address (ILDCP) and takes packets from then on. */
  static async start(plugin: Plugin): Promise<InProcessReceiver> {
    const { clientAddress, assetCode, assetScale } = await fetchIldcp(plugin.sendData.bind(plugin))
    const server = new StreamServer({ serverSecret: randomBytes(32), serverAddress: clientAddress })
    const receiver = new InProcessReceiver(server, { code: assetCode, scale: assetScale })
    plugin.registerDataHandler(async (data) => receiver.#answer(data))
    return receiver
  }

  /** Units of its account that it accepted. */
  get received(): bigint {
    return this.#received
  }

  /** Address and secret, as SPSP would tell them. */
  credentials(): StreamCredentials {
    return this.#server.generateCredentials({ asset: this.#asset })
  }

  #answer(data: Buffer): Buffer {
    const prepare = deserializeIlpPrepare(data)
    const reply = this.#server.createReply(prepare)
    if (!('accept' in reply)) return serializeIlpReply(reply)
    this.#received += BigInt(prepare.amount)
    reply.setTotalReceived(this.#received.toString())
    return serializeIlpReply(reply.accept())
  }
}

import assert from 'node:assert'
import { createHmac, randomBytes } from 'node:crypto'
import { type Connection, type DataAndMoneyStream, Server } from 'ilp-protocol-stream'
import { encodeReject } from '../ilp/encode-packet.ts'
import { ErrorCode } from '../ilp/error-code.ts'
import { decodeIldcpReply, encodeIldcpRequest, type IldcpReply } from '../ilp/ildcp.ts'
import { createFulfillView, createPrepareView, parseFulfill, parsePrepare } from '../ilp/parse-packet.ts'
import type { Clock } from '../lib/clock.ts'
import type { Logger } from '../lib/logger.ts'
import type { Asset } from '../rates/rate-provider.ts'
import { ConnectionKeeper } from './connection-keeper.ts'
import type { PacketEndpoint } from './packet-endpoint.ts'
import { SenderPlugin } from './sender-plugin.ts'
import { ServerPlugin } from './server-plugin.ts'
import { within } from './within.ts'

const ILDCP_TIMEOUT_MS = 5_000
/** Time for a server to say goodbye to its senders. */
const CLOSE_TIMEOUT_MS = 2_000
/** Bytes of randomness in the address of a payment under way: unguessable, short. */
const SENDER_TAG_LENGTH = 12
const AMOUNT_MAX = '18446744073709551615'

export interface StreamAccountOptions {
  /** Id of the local account. */
  id: string
  asset: Asset
  /** At least 32 bytes, stable across restarts, so that addresses given out earlier stay payable. */
  serverSecret: Buffer
}

interface StreamAccountDeps {
  endpoint: PacketEndpoint
  clock: Clock
  logger: Logger
}

/** Where one sender pays to, and the secret shared with it. */
export interface StreamCredentials {
  destinationAccount: string
  /** 32 bytes. */
  sharedSecret: Buffer
  receiptsEnabled: boolean
}

/** A STREAM server at one address. */
interface Serving {
  address: string
  server: Server
  plugin: ServerPlugin
  keeper: ConnectionKeeper
}

/** What a sender of ours needs to pay from the account. */
export interface SenderSlot {
  plugin: SenderPlugin
  sourceAddress: string
  /** Gives the address up. */
  release(): void
}

/**
 * STREAM (RFC 29) on one local account: a server that takes what is paid to it, and addresses of their own for
 * payments that it makes, all over one endpoint. The address comes from the node, over ILDCP as for any child.
 */
export class StreamAccount {
  readonly id: string
  readonly asset: Asset
  readonly #secret: Buffer
  readonly #endpoint: PacketEndpoint
  readonly #clock: Clock
  readonly #logger: Logger
  readonly #senders = new Map<string, SenderPlugin>()
  readonly #view = createPrepareView()
  #serving: Serving | undefined
  #refreshing: Promise<void> | undefined
  #isStopped = false

  constructor(options: StreamAccountOptions, deps: StreamAccountDeps) {
    assert(options.serverSecret.length >= 32, 'the STREAM server secret needs at least 32 bytes')
    this.id = options.id
    this.asset = options.asset
    // A secret per account: an address of one account is worth nothing below another.
    this.#secret = createHmac('sha256', options.serverSecret).update(`stream server ${options.id}`).digest()
    this.#endpoint = deps.endpoint
    this.#clock = deps.clock
    this.#logger = deps.logger.child({ account: options.id })
  }

  /** The account's ILP address; undefined until the node has told it. */
  get address(): string | undefined {
    return this.#serving?.address
  }

  async start(): Promise<void> {
    this.#endpoint.registerDataHandler((packet) => this.#handle(packet))
    await this.#endpoint.connect()
  }

  async stop(): Promise<void> {
    if (this.#isStopped) return
    this.#isStopped = true
    await this.#refreshing
    await this.#closeServer()
    this.#endpoint.deregisterDataHandler()
    await this.#endpoint.disconnect()
  }

  /** Asks the node for the address and serves there. Calls meanwhile join. Never rejects; false: not yet. */
  async refresh(): Promise<boolean> {
    this.#refreshing ??= this.#refreshOnce()
      .catch((error: Error) => {
        this.#logger.debug('local account has no address yet', { error: error.message })
      })
      .finally(() => {
        this.#refreshing = undefined
      })
    await this.#refreshing
    return this.address !== undefined
  }

  /** A fresh address and secret for one sender; undefined while the address is not known. */
  credentials(receipts?: { nonce: Buffer; secret: Buffer }): StreamCredentials | undefined {
    return this.#serving?.server.generateAddressAndSecret(
      receipts && { receiptNonce: receipts.nonce, receiptSecret: receipts.secret },
    )
  }

  /** An address of its own for one payment to be made; undefined while the address is not known. */
  openSender(): SenderSlot | undefined {
    if (this.address === undefined) return undefined
    const tag = randomBytes(SENDER_TAG_LENGTH).toString('base64url')
    const plugin = new SenderPlugin(this.#endpoint)
    this.#senders.set(tag, plugin)
    return {
      plugin,
      sourceAddress: `${this.address}.${tag}`,
      release: () => void this.#senders.delete(tag),
    }
  }

  async #handle(packet: Buffer): Promise<Buffer> {
    const problem = parsePrepare(packet, 0, packet.length, this.#view)
    if (problem !== undefined) return encodeReject(ErrorCode.badRequest, '', problem)
    const { destinationOffset, destinationLength } = this.#view
    const destination = packet.toString('latin1', destinationOffset, destinationOffset + destinationLength)
    const serving = this.#serving
    if (serving === undefined) {
      return encodeReject(ErrorCode.temporaryApplicationError, '', 'the receiver is not ready')
    }
    const tag = destination.slice(serving.address.length + 1).split('.', 1)[0] ?? ''
    return this.#senders.get(tag)?.handle(packet) ?? serving.plugin.handle(packet)
  }

  async #refreshOnce(): Promise<void> {
    const told = await this.#askAddress()
    if (told.assetCode !== this.asset.code || told.assetScale !== this.asset.scale) {
      throw new Error(`the node says ${told.assetCode} with scale ${told.assetScale}`)
    }
    if (this.#isStopped || told.address === this.address) return
    await this.#closeServer()
    this.#serving = await this.#serve(told)
    this.#logger.info('local account receives', { address: told.address })
  }

  async #askAddress(): Promise<IldcpReply> {
    const request = encodeIldcpRequest(this.#clock.now() + ILDCP_TIMEOUT_MS)
    const reply = await within(this.#endpoint.sendData(request), ILDCP_TIMEOUT_MS, 'the node did not answer')
    const view = createFulfillView()
    if (parseFulfill(reply, 0, reply.length, view) !== undefined) {
      throw new Error('the node knows no address')
    }
    return decodeIldcpReply(reply.subarray(view.dataOffset, view.dataOffset + view.dataLength))
  }

  async #serve(told: IldcpReply): Promise<Serving> {
    const keeper = new ConnectionKeeper({ clock: this.#clock })
    const plugin = new ServerPlugin(told, (packet) => this.#endpoint.sendData(packet))
    const server = new Server({ serverSecret: this.#secret, plugin })
    server.on('connection', (connection: Connection) => {
      keeper.add(connection)
      // Told to nobody: a sender's mistakes are its own business.
      connection.on('error', () => undefined)
      connection.on('stream', (stream: DataAndMoneyStream) => {
        stream.on('error', () => undefined)
        stream.on('money', () => keeper.paid(connection))
        stream.setReceiveMax(AMOUNT_MAX)
        stream.resume()
      })
    })
    await server.listen()
    return { address: told.address, server, plugin, keeper }
  }

  async #closeServer(): Promise<void> {
    const serving = this.#serving
    if (serving === undefined) return
    this.#serving = undefined
    await within(serving.server.close(), CLOSE_TIMEOUT_MS, 'senders did not answer').catch((error: Error) => {
      this.#logger.debug('stream server was closed without goodbye', { error: error.message })
    })
    serving.keeper.stop()
  }
}

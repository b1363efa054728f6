import type { Account } from '../forwarding/account.ts'
import { decodeIldcpReply, encodeIldcpRequest, type IldcpReply } from '../ilp/ildcp.ts'
import { createFulfillView, createRejectView, parseFulfill, parseReject } from '../ilp/parse-packet.ts'
import type { Clock } from '../lib/clock.ts'
import type { Logger } from '../lib/logger.ts'

/** Time the parent has to answer. */
const REQUEST_TIMEOUT_MS = 10_000
/** Time between attempts while the parent is connected but does not tell. */
const RETRY_MS = 5_000

export interface IldcpClientDeps {
  /** Sends a packet of this node over the account's link. */
  request(account: Account, packet: Buffer): Promise<Buffer>
  /** The parent told us. */
  told(reply: IldcpReply): void
  clock: Clock
  logger: Logger
}

/** Asks the parent for our address (RFC 31), again after every reconnect, and until it answers. */
export class IldcpClient {
  readonly #deps: IldcpClientDeps
  #timer: NodeJS.Timeout | undefined
  #stopped = false
  #asking = false

  constructor(deps: IldcpClientDeps) {
    this.#deps = deps
  }

  /** The parent's link is connected. */
  ask(parent: Account): void {
    if (this.#stopped || this.#asking) return
    clearTimeout(this.#timer)
    this.#asking = true
    this.#askOnce(parent)
      .catch((error: unknown) => this.#failed(parent, error))
      .finally(() => {
        this.#asking = false
      })
  }

  stop(): void {
    this.#stopped = true
    clearTimeout(this.#timer)
  }

  async #askOnce(parent: Account): Promise<void> {
    const packet = encodeIldcpRequest(this.#deps.clock.now() + REQUEST_TIMEOUT_MS)
    const told = readReply(await this.#deps.request(parent, packet))
    if (told.assetCode !== parent.asset.code || told.assetScale !== parent.asset.scale) {
      const theirs = `${told.assetCode} with scale ${told.assetScale}`
      throw new Error(`the parent keeps the account in ${theirs}: set peers.${parent.id}.asset to that`)
    }
    this.#deps.logger.info('parent told our address', { accountId: parent.id, address: told.address })
    this.#deps.told(told)
  }

  #failed(parent: Account, error: unknown): void {
    if (this.#stopped) return
    this.#deps.logger.warn('parent did not tell our address', { accountId: parent.id, reason: String(error) })
    this.#timer = setTimeout(() => {
      if (parent.connected) this.ask(parent)
    }, RETRY_MS).unref()
  }
}

function readReply(packet: Buffer): IldcpReply {
  const fulfill = createFulfillView()
  if (parseFulfill(packet, 0, packet.length, fulfill) === undefined) {
    return decodeIldcpReply(packet.subarray(fulfill.dataOffset, fulfill.dataOffset + fulfill.dataLength))
  }
  const reject = createRejectView()
  const fault = parseReject(packet, 0, packet.length, reject)
  if (fault !== undefined) throw new Error(`the reply is invalid: ${fault}`)
  const code = packet.toString('latin1', reject.codeOffset, reject.codeOffset + 3)
  const message = packet.toString('utf8', reject.messageOffset, reject.messageOffset + reject.messageLength)
  throw new Error(`the parent rejected the request: ${code} ${message}`)
}

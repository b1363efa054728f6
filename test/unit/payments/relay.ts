import { deserializeIlpPrepare, type IlpPrepare, serializeIlpPrepare, serializeIlpReject } from 'ilp-packet'
import { LocalEndpoint } from '../../../plugins/local/local-endpoint.ts'
import { createPlugin } from '../../../plugins/local/plugin.ts'
import type { IlpAddress } from '../../../src/ilp/address.ts'
import { encodeFulfill } from '../../../src/ilp/encode-packet.ts'
import { encodeIldcpReply, PEER_PROTOCOL_FULFILLMENT } from '../../../src/ilp/ildcp.ts'
import { systemClock } from '../../../src/lib/clock.ts'
import { silentLogger } from '../../../src/lib/logger.ts'
import { type Link, type LinkReceiver, SendOutcome } from '../../../src/peers/link.ts'
import type { Asset } from '../../../src/rates/rate-provider.ts'

interface Account {
  id: string
  asset: Asset
  endpoint: LocalEndpoint
  link: Link
  balance: bigint
}

interface Flight {
  from: Account
  handle: number
  to: Account
  inAmount: bigint
  outAmount: bigint
}

/** What to do with a packet: nothing special, no answer ever, or a reject with this code. */
export type Verdict = undefined | 'hang' | { code: string; data?: Buffer }

/** The least node that two STREAM ends can talk over: ILDCP, prefixes, a rate, balances. */
export class Relay {
  address: string | undefined = 'test.relay'
  readonly accounts = new Map<string, Account>()
  readonly prepares: IlpPrepare[] = []
  judge: (prepare: IlpPrepare, from: string) => Verdict = () => undefined
  /** Outgoing amount of an incoming one. */
  convert: (amount: bigint) => bigint = (amount) => amount
  readonly #plugin = createPlugin({}, { clock: systemClock, logger: silentLogger, random: Math.random })
  readonly #flights = new Map<number, Flight>()
  #nextToken = 0

  async open(id: string, asset: Asset): Promise<LocalEndpoint> {
    const endpoint = new LocalEndpoint()
    const receiver: LinkReceiver = {
      prepare: (handle, packet, start, end) =>
        this.#onPrepare(account, handle, Buffer.from(packet.subarray(start, end))),
      reply: (token, packet, start, end) => this.#onReply(token, Buffer.from(packet.subarray(start, end))),
      failed: (token, failure) => this.#onReply(token, reject('T01', failure)),
      connected: () => undefined,
      disconnected: () => undefined,
      protocolError: (message) => {
        throw new Error(message)
      },
    }
    const link = this.#plugin.openLink({
      accountId: id,
      relation: 'local',
      assetCode: asset.code,
      assetScale: asset.scale,
      options: { plugin: 'local', endpoint },
      receiver,
    })
    const account: Account = { id, asset, endpoint, link, balance: 0n }
    this.accounts.set(id, account)
    await link.start()
    return endpoint
  }

  balance(id: string): bigint {
    return this.accounts.get(id)?.balance ?? 0n
  }

  async stop(): Promise<void> {
    await this.#plugin.stop()
  }

  #onPrepare(from: Account, handle: number, packet: Buffer): void {
    const prepare = deserializeIlpPrepare(packet)
    const answer = (reply: Buffer) => from.link.sendReply(handle, reply, 0, reply.length)
    if (prepare.destination === 'peer.config') return answer(this.#ildcp(from))
    this.prepares.push(prepare)
    const verdict = this.judge(prepare, from.id)
    if (verdict === 'hang') return
    if (verdict !== undefined) return answer(reject(verdict.code, 'as judged', verdict.data))
    const id = prepare.destination.startsWith(`${this.address}.`)
      ? prepare.destination.slice((this.address ?? '').length + 1).split('.')[0]
      : undefined
    const to = this.accounts.get(id ?? '')
    if (to === undefined) return answer(reject('F02', 'no route'))
    const inAmount = BigInt(prepare.amount)
    const outAmount = this.convert(inAmount)
    const token = this.#nextToken++
    this.#flights.set(token, { from, handle, to, inAmount, outAmount })
    const out = serializeIlpPrepare({ ...prepare, amount: outAmount.toString() })
    if (to.link.sendPrepare(token, out, 0, out.length, prepare.expiresAt.getTime()) !== SendOutcome.sent) {
      this.#onReply(token, reject('T01', 'not connected'))
    }
  }

  #onReply(token: number, packet: Buffer): void {
    const flight = this.#flights.get(token)
    if (flight === undefined) return
    this.#flights.delete(token)
    if (packet[0] === 13) {
      flight.from.balance -= flight.inAmount
      flight.to.balance += flight.outAmount
    }
    flight.from.link.sendReply(flight.handle, packet, 0, packet.length)
  }

  #ildcp({ id, asset }: Account): Buffer {
    if (this.address === undefined) return reject('T00', 'no address yet')
    const address = `${this.address}.${id}` as IlpAddress
    const data = encodeIldcpReply({ address, assetCode: asset.code, assetScale: asset.scale })
    return encodeFulfill(PEER_PROTOCOL_FULFILLMENT, data)
  }
}

function reject(code: string, message: string, data: Buffer = Buffer.alloc(0)): Buffer {
  return serializeIlpReject({ code, triggeredBy: 'test.relay', message, data })
}

/**
 * Forwards WebSocket messages between payer `i` (which dials `/payers/i`) and payee `i` (`/payees/i`) as they are: no
 * ILP, no BTP beyond the answer to a login, no books. What a connector over `ws` could reach if its own work were free.
 *
 *     node bench/relays/bare-btp-relay.ts <port>
 */
import type { IncomingMessage } from 'node:http'
import type { Socket } from 'node:net'
import { type WebSocket, WebSocketServer } from 'ws'

const PATH = /^\/(payers|payees)\/(\d+)$/
/** An ILP packet has at most 41,997 bytes. */
const MESSAGE_LENGTH_MAX = 44_000
const BTP_RESPONSE = 1
/** What follows the request id in a Response without entries: the length of its body, and a count of none. */
const NO_ENTRIES = [2, 1, 0]

/** One client. All that is sent to it within a turn of the event loop leaves with one write. */
class Side {
  other: Side | undefined
  readonly #webSocket: WebSocket
  readonly #socket: Socket
  #isCorked = false

  constructor(webSocket: WebSocket, socket: Socket) {
    this.#webSocket = webSocket
    this.#socket = socket
    webSocket.once('message', (login: Buffer) => {
      this.send(Buffer.from([BTP_RESPONSE, ...login.subarray(1, 5), ...NO_ENTRIES]))
      webSocket.on('message', (frame: Buffer) => this.other?.send(frame))
    })
    webSocket.on('error', () => webSocket.terminate())
  }

  send(frame: Buffer): void {
    if (!this.#isCorked) {
      this.#isCorked = true
      this.#socket.cork()
      setImmediate(this.#uncork)
    }
    this.#webSocket.send(frame)
  }

  readonly #uncork = (): void => {
    this.#isCorked = false
    this.#socket.uncork()
  }
}

const sides = new Map<string, Side>()
const server = new WebSocketServer({
  host: '127.0.0.1',
  port: Number(process.argv[2]),
  perMessageDeflate: false,
  maxPayload: MESSAGE_LENGTH_MAX,
})
server.on('connection', (webSocket, request: IncomingMessage) => {
  const [, kind, index] = PATH.exec(request.url ?? '') ?? []
  if (kind === undefined) return webSocket.close()
  request.socket.setNoDelay(true)
  const side = new Side(webSocket, request.socket)
  const other = sides.get(`/${kind === 'payers' ? 'payees' : 'payers'}/${index}`)
  side.other = other
  if (other !== undefined) other.other = side
  sides.set(request.url!, side)
})
process.once('SIGTERM', () => process.exit())

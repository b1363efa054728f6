import { connect, type Socket } from 'node:net'
import BtpPacket from 'btp-packet'
import { waitFor } from '../../compliance/wait-for.ts'
import { authEntries } from './foreign-client.ts'

/** A WebSocket client made by hand on a TCP socket, that reads only when told to. */
export async function rawClient(url: string): Promise<Socket> {
  const { hostname, port, host } = new URL(url)
  const socket = connect(Number(port), hostname)
  socket.on('error', () => undefined)
  const key = Buffer.alloc(16, 7).toString('base64')
  socket.write(
    `GET / HTTP/1.1\r\nHost: ${host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n` +
      `Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${key}\r\n\r\n`,
  )
  let heard = ''
  socket.on('data', (chunk) => {
    heard += chunk.toString('latin1')
  })
  await waitFor('the upgrade', () => heard.includes('\r\n\r\n') || socket.destroyed)
  socket.removeAllListeners('data')
  socket.pause()
  return socket
}

/** A masked binary frame; the mask is zero, which costs nothing and is as good as any to a server. */
export function maskedFrame(payload: Buffer): Buffer {
  const length =
    payload.length < 126 ? [0x80 | payload.length] : [0x80 | 126, payload.length >> 8, payload.length & 0xff]
  return Buffer.concat([Buffer.from([0x82, ...length, 0, 0, 0, 0]), payload])
}

export function loginFrame(token: string): Buffer {
  return maskedFrame(BtpPacket.serializeMessage(0, authEntries(token)))
}

import { createServer, type Server } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { type WebSocket, WebSocketServer } from 'ws'
import { createPlugin } from '../../plugins/btp/plugin.ts'
import { systemClock } from '../../src/lib/clock.ts'
import { silentLogger } from '../../src/lib/logger.ts'
import type { LinkContext, LinkReceiver, Plugin, PluginDeps } from '../../src/peers/link.ts'

export const TOKEN = 'a-token-for-tests-0123456789abcdef'

export const pluginDeps: PluginDeps = { clock: systemClock, logger: silentLogger, random: Math.random }

/** Reconnects at once, so that tests need not wait. */
export const QUICK_RECONNECT = { reconnectMsMin: 10, reconnectMsMax: 50 }

export function btpPlugin(options: Record<string, unknown> = {}, deps: PluginDeps = pluginDeps): Plugin {
  return createPlugin(options, deps)
}

export function btpListener(options: Record<string, unknown> = {}, deps: PluginDeps = pluginDeps): Plugin {
  return btpPlugin({ listen: { host: '127.0.0.1', port: 0 }, ...options }, deps)
}

export function linkContext(
  receiver: LinkReceiver,
  options: Record<string, unknown>,
  accountId = 'alice',
): LinkContext {
  return { accountId, relation: 'peer', assetCode: 'USD', assetScale: 9, options, receiver }
}

/** `ws://host:port` of the listener of a started plugin. */
export function urlOf(plugin: Plugin): string {
  return plugin.listening()[0]!.replace('btp+', '')
}

/** A WebSocket server of the `ws` package, to play the other side of our client. */
export async function foreignServer(onSocket: (socket: WebSocket) => void): Promise<{
  url: string
  server: Server
  sockets: Set<Socket>
  close(): Promise<void>
}> {
  const server = createServer()
  const sockets = new Set<Socket>()
  server.on('connection', (socket) => {
    sockets.add(socket)
    socket.on('close', () => sockets.delete(socket))
  })
  const wss = new WebSocketServer({ noServer: true })
  server.on('upgrade', (request, socket: Duplex, head: Buffer) => {
    wss.handleUpgrade(request, socket, head, (webSocket) => {
      webSocket.on('error', () => undefined)
      onSocket(webSocket)
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `ws://127.0.0.1:${(server.address() as AddressInfo).port}`,
    server,
    sockets,
    close: () => {
      for (const socket of sockets) socket.destroy()
      return new Promise((resolve) => server.close(() => resolve()))
    },
  }
}

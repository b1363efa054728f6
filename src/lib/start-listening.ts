import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'

export interface ListenOptions {
  readonly host: string
  /** 0: any free one. */
  readonly port: number
  /** Told when the address cannot be bound: `EADDRINUSE` and the like become the message of the error. */
  readonly explain: (reason: string) => string
  /** Faults of the listener, once it listens. */
  readonly onError: (error: Error) => void
}

/**
 * Binds an HTTP server. Resolves with its port.
 * @throws Error when the address cannot be bound
 */
export async function startListening(server: Server, options: ListenOptions): Promise<number> {
  const { host, port, explain, onError } = options
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) =>
      reject(new Error(explain(error.code ?? error.message))),
    )
    server.listen(port, host, resolve)
  })
  server.removeAllListeners('error')
  server.on('error', onError)
  return (server.address() as AddressInfo).port
}

/** Takes no more connections, and cuts those that are not done within `graceMs`. */
export async function stopListening(server: Server, graceMs: number): Promise<void> {
  const closed = new Promise<void>((resolve) => server.close(() => resolve()))
  server.closeIdleConnections()
  const timer = setTimeout(() => server.closeAllConnections(), graceMs)
  await closed
  clearTimeout(timer)
}

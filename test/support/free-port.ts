import { randomInt } from 'node:crypto'
import { createServer } from 'node:net'

/**
 * Below the ports that systems give out by themselves: between the choice and its use nobody gets one of these by
 * asking for any.
 */
const PORT_MIN = 10_000
const PORT_MAX = 32_000
const ATTEMPTS_MAX = 100

/** A TCP port of the loopback interface that nobody listens on now. */
export async function freePort(): Promise<number> {
  for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
    const port = randomInt(PORT_MIN, PORT_MAX)
    if (await isFree(port)) return port
  }
  throw new Error(`none of ${ATTEMPTS_MAX} ports from ${PORT_MIN} to ${PORT_MAX} is free`)
}

async function isFree(port: number): Promise<boolean> {
  const server = createServer()
  return await new Promise<boolean>((resolve) => {
    server.once('error', () => resolve(false))
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)))
  })
}

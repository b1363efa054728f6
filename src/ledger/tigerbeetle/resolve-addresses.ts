import { lookup } from 'node:dns/promises'
import { isIP } from 'node:net'
import { LedgerFaultError, LedgerUnavailableError } from '../ledger-store.ts'
import { within } from '../within.ts'

/** A cluster has at most six replicas. */
const ADDRESSES_MAX = 6

/**
 * The cluster's addresses with host names replaced by IP addresses: the client takes no names. IPv4 first, since
 * `localhost` is often both and servers bind 127.0.0.1.
 * @throws LedgerFaultError when an address is not `host:port`
 * @throws LedgerUnavailableError when a name does not resolve in time
 */
export async function resolveAddresses(addresses: readonly string[], timeoutMs: number): Promise<string[]> {
  if (addresses.length < 1 || addresses.length > ADDRESSES_MAX) {
    throw new LedgerFaultError(`TigerBeetle needs 1 to ${ADDRESSES_MAX} addresses, not ${addresses.length}`)
  }
  const parsed = addresses.map(parseAddress)
  return await Promise.all(parsed.map((address) => resolveOne(address, timeoutMs)))
}

function parseAddress(address: string): { host: string; port: number } {
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([^:\s[\]]+)):(\d{1,5})$/.exec(address)
  const host = match?.[1] ?? match?.[2]
  const port = Number(match?.[3])
  if (host === undefined || port < 1 || port > 65_535) {
    throw new LedgerFaultError(`TigerBeetle address "${address}" is not host:port, e.g. 127.0.0.1:3000`)
  }
  return { host, port }
}

async function resolveOne(
  { host, port }: { host: string; port: number },
  timeoutMs: number,
): Promise<string> {
  const ip = isIP(host) === 0 ? await lookUp(host, timeoutMs) : host
  return isIP(ip) === 6 ? `[${ip}]:${port}` : `${ip}:${port}`
}

async function lookUp(host: string, timeoutMs: number): Promise<string> {
  const found = await within(timeoutMs, `host name ${host}`, lookup(host, { all: true })).catch(
    (error: Error) => {
      throw unresolved(host, error)
    },
  )
  const best = found.find(({ family }) => family === 4) ?? found[0]
  if (best === undefined) throw unresolved(host, new Error('no address'))
  return best.address
}

/** Names come back: the caller may try again. */
function unresolved(host: string, cause: Error): LedgerUnavailableError {
  return new LedgerUnavailableError(`TigerBeetle host "${host}" does not resolve: ${cause.message}`, {
    cause,
  })
}

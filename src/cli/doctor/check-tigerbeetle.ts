import { execFile } from 'node:child_process'
import { createRequire } from 'node:module'
import { connect } from 'node:net'
import type { Config } from '../../config/schema.ts'
import { type Finding, failed, ok, warning } from './finding.ts'

const CONNECT_MS_MAX = 3_000
const BINARY_MS_MAX = 5_000

/** Checks the cluster of a `tigerbeetle` ledger, and the server program when the machine has one. */
export async function checkTigerBeetle(
  config: Config,
  env: Readonly<Record<string, string | undefined>>,
): Promise<Finding[]> {
  const { backend, tigerbeetle } = config.ledger
  if (backend !== 'tigerbeetle' || tigerbeetle === undefined) return []
  const replicas = await Promise.all(tigerbeetle.addresses.map((address) => checkReplica(address)))
  return [...replicas, await checkBinary(env.TIGERBEETLE_BIN ?? 'tigerbeetle')]
}

async function checkReplica(address: string): Promise<Finding> {
  const check = 'tigerbeetle'
  const colon = address.lastIndexOf(':')
  const host = address.slice(0, colon).replace(/^\[|\]$/g, '')
  const problem = await tryConnect(host, Number(address.slice(colon + 1)))
  if (problem === undefined) return ok(check, `replica ${address} accepts connections`)
  return failed(
    check,
    `replica ${address} does not answer (${problem})`,
    'Start it, and check ledger.tigerbeetle.addresses',
  )
}

async function tryConnect(host: string, port: number): Promise<string | undefined> {
  return await new Promise((resolve) => {
    const socket = connect({ host, port, timeout: CONNECT_MS_MAX })
    const end = (problem: string | undefined) => {
      socket.destroy()
      resolve(problem)
    }
    socket.once('connect', () => end(undefined))
    socket.once('timeout', () => end(`nothing within ${CONNECT_MS_MAX / 1000} s`))
    socket.once('error', (error: NodeJS.ErrnoException) => end(error.code ?? error.message))
  })
}

async function checkBinary(path: string): Promise<Finding> {
  const check = 'tigerbeetle program'
  const found = await runVersion(path)
  if (found === undefined) return ok(check, 'not on this machine; only the replicas need it')
  const client = clientVersion()
  if (found === client) return ok(check, `version ${found}, as the client`)
  return warning(
    check,
    `version ${found}, and the client is ${client}`,
    'A client may be older than the cluster, within what its release notes allow, and never newer',
  )
}

async function runVersion(path: string): Promise<string | undefined> {
  return await new Promise((resolve) => {
    execFile(path, ['version'], { timeout: BINARY_MS_MAX }, (error, stdout) => {
      resolve(error === null ? /\d+\.\d+\.\d+/.exec(stdout)?.[0] : undefined)
    })
  })
}

function clientVersion(): string {
  const manifest = createRequire(import.meta.url)('tigerbeetle-node/package.json') as { version: string }
  return manifest.version
}

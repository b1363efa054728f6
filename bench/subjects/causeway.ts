import { freePort } from '../../test/support/free-port.ts'
import { NodeProcess } from '../../test/support/node-process.ts'
import { findTigerBeetle, TigerBeetleServer } from '../../test/support/tigerbeetle-server.ts'
import { causewayAccount } from './causeway-account.ts'
import type { PeerEnd, RunningSubject, Subject, SubjectSetup } from './subject.ts'

const NODE_ADDRESS = 'g.bench'
/** Ten thousand accounts or a million routes take their time on a busy machine. */
const READY_DEADLINE_MS = 120_000
const PAYER_ASSET = { code: 'USD', scale: 9 }
/** 1 USD is 2 XRP, less a spread of 0.2 %: 1,000 units of the payer are 1.996 of the payee. */
const CROSS_ASSET = {
  asset: { code: 'XRP', scale: 6 },
  prices: { USD: '1', XRP: '0.5' },
  spread: '0.002',
  deliveredAmount: (amount: number) => Math.floor((amount * 1_996) / 1_000_000),
}

export interface CausewayOptions {
  key: string
  title: string
  /** Default: sqlite. */
  ledger?: 'sqlite' | 'tigerbeetle'
  /** Default: after-commit. */
  relay?: 'after-commit' | 'immediately'
  /** Payers hold USD, payees XRP. */
  crossAsset?: boolean
  /** Further accounts in the configuration, which never connect. */
  extraAccounts?: number
  /** Fills the data directory before the node starts; to find there is what an earlier run would have left. */
  prepareDirectory?(dataDirectory: string): Promise<void> | void
  /** Merged over the configuration, section by section. */
  config?: Record<string, Record<string, unknown>>
  /** Environment of the process, beside our own. */
  env?: Record<string, string>
}

/** A connector of ours whose operator we are. */
export interface RunningCauseway extends RunningSubject {
  node: NodeProcess
}

export interface CausewaySubject extends Subject {
  start(setup: SubjectSetup): Promise<RunningCauseway>
}

/** Whether a TigerBeetle server can be started here. */
export function hasTigerBeetle(): boolean {
  return findTigerBeetle() !== undefined
}

/** This connector over BTP, as in production: log at level info, metrics and every limit on, all accounts in its books. */
export function causeway(options: CausewayOptions): CausewaySubject {
  return {
    name: options.key,
    title: options.title,
    start: async ({ pairs }) => {
      const server = options.ledger === 'tigerbeetle' ? await startTigerBeetle() : undefined
      try {
        const running = await startNode(options, pairs, server)
        const stop = async () => {
          await running.stop()
          await server?.stop()
        }
        return { ...running, stop }
      } catch (error) {
        await server?.stop()
        throw error
      }
    },
  }
}

async function startTigerBeetle(): Promise<TigerBeetleServer> {
  const binary = findTigerBeetle()
  if (binary === undefined) {
    throw new Error('there is no TigerBeetle server: put "tigerbeetle" on the PATH or set TIGERBEETLE_BIN')
  }
  return await TigerBeetleServer.start(binary, 'production')
}

async function startNode(
  options: CausewayOptions,
  pairs: number,
  server: TigerBeetleServer | undefined,
): Promise<RunningCauseway> {
  const port = await freePort()
  const end = (kind: 'payer' | 'payee', index: number): PeerEnd => {
    const id = `${kind}${index}`
    return { id, url: `ws://127.0.0.1:${port}`, token: tokenOf(id), address: `${NODE_ADDRESS}.${id}` }
  }
  const indexes = Array.from({ length: pairs }, (_, index) => index)
  const payers = indexes.map((index) => end('payer', index))
  const payees = indexes.map((index) => end('payee', index))
  const extras = Array.from({ length: options.extraAccounts ?? 0 }, (_, index) => `extra${index}`)
  const cross = options.crossAsset === true ? CROSS_ASSET : undefined
  const peers = [
    ...payers.map(({ id }) => ({ ...account(id, PAYER_ASSET), ...(cross && { spread: cross.spread }) })),
    ...payees.map(({ id }) => account(id, cross?.asset ?? PAYER_ASSET)),
    ...extras.map((id) => account(id, PAYER_ASSET)),
  ]
  const config = {
    node: { id: 'bench', environment: 'production', ilpAddress: NODE_ADDRESS },
    plugins: { btp: { listen: { host: '127.0.0.1', port } } },
    peers,
    rates: { provider: 'fixed', base: 'USD', ...(cross && { prices: cross.prices }) },
    logging: { level: 'info', format: 'json' },
    ledger: {
      backend: options.ledger ?? 'sqlite',
      relay: options.relay ?? 'after-commit',
      ...(server && { tigerbeetle: { addresses: [server.address] } }),
    },
  }
  const ids = peers.map(({ id }) => id)
  const secrets = Object.fromEntries(ids.map((id) => [id, tokenOf(id)]))
  const node = await NodeProcess.create(merge(config, options.config ?? {}), secrets)
  try {
    await options.prepareDirectory?.(node.dataDirectory)
    await node.start({ NODE_ENV: 'production', ...options.env }, READY_DEADLINE_MS)
  } catch (error) {
    await node.destroy()
    throw error
  }
  return {
    ends: {
      protocol: 'btp',
      payers,
      payees,
      deliveredAmount: cross?.deliveredAmount ?? ((amount) => amount),
    },
    node,
    pids: [node.pid],
    output: () => node.output,
    stop: () => node.destroy(),
  }
}

function account(id: string, asset: { code: string; scale: number }) {
  return causewayAccount(id, asset, { plugin: 'btp', mode: 'server', token: `secret:${id}` })
}

function tokenOf(id: string): string {
  return `token-of-${id}-of-the-bench`
}

function merge<Config extends Record<string, unknown>>(
  config: Config,
  over: Record<string, Record<string, unknown>>,
): Config {
  const merged: Record<string, unknown> = { ...config }
  for (const [section, values] of Object.entries(over)) {
    merged[section] = { ...(merged[section] as Record<string, unknown> | undefined), ...values }
  }
  return merged as Config
}

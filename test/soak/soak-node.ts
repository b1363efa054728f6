import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parse, stringify } from 'yaml'
import type { JsonRpcProxy } from '../support/json-rpc-proxy.ts'
import type { NodeProcess } from '../support/node-process.ts'
import { START_MS } from '../support/settling-nodes.ts'

const PAGE = 1_000

/** Of the admin API; as much of it as is looked at. */
export interface SettlementRow {
  readonly id: string
  readonly accountId?: string
  readonly engine: string
  readonly amount?: string
  readonly quantity: { readonly amount: string }
  readonly state: string
  readonly reason?: string
  readonly cursor: string
}

export interface ChannelRow {
  readonly id: string
  readonly engine: string
  readonly accountId: string
  readonly direction: 'in' | 'out'
  readonly state: string
}

/** Terms of an account's settlement, as the configuration has them. */
export type Terms = Readonly<Record<string, unknown>>

interface Configuration {
  peers: { id: string; settlement?: { engine: string; options: unknown } & Terms }[]
}

/** A node of the run: its process, and a proxy before each RPC node that it asks. */
export class SoakNode {
  readonly name: string
  readonly process: NodeProcess
  readonly proxies: readonly JsonRpcProxy[]
  readonly btpPort: number
  /** Nobody is ending or starting it. */
  isUp = false
  kills = 0

  constructor(options: { name: string; process: NodeProcess; proxies: JsonRpcProxy[]; btpPort: number }) {
    this.name = options.name
    this.process = options.process
    this.proxies = options.proxies
    this.btpPort = options.btpPort
  }

  async start(): Promise<void> {
    await this.process.start({}, START_MS)
    this.isUp = true
  }

  /** Without any warning, as when the power goes. */
  async kill(): Promise<void> {
    this.isUp = false
    this.kills++
    this.process.signal('SIGKILL')
    await this.process.ended()
  }

  /** @returns the exit code */
  async stop(): Promise<number | null> {
    this.isUp = false
    this.process.signal('SIGTERM')
    return await this.process.ended()
  }

  async admin<T>(method: string, path: string, body?: unknown): Promise<T> {
    return await this.process.admin<T>(method, path, body)
  }

  /** Writes other terms into the configuration and, when the node runs, has it take them over. */
  async reload(termsOf: (engine: string) => Terms): Promise<void> {
    const path = join(this.process.directory, 'causeway.yaml')
    const configuration = parse(readFileSync(path, 'utf8')) as Configuration
    for (const peer of configuration.peers) {
      if (peer.settlement === undefined) continue
      const { engine, options } = peer.settlement
      peer.settlement = { engine, options, ...termsOf(engine) }
    }
    writeFileSync(path, stringify(configuration, { aliasDuplicateObjects: false }))
    if (this.isUp) await this.admin('POST', '/config/reload')
  }

  /** All there ever were. */
  async settlements(direction: 'in' | 'out'): Promise<SettlementRow[]> {
    const rows: SettlementRow[] = []
    let before = ''
    for (;;) {
      const path = `/settlements?direction=${direction}&limit=${PAGE}${before}`
      const page = await this.admin<SettlementRow[]>('GET', path)
      rows.push(...page)
      if (page.length < PAGE) return rows
      before = `&before=${page.at(-1)!.cursor}`
    }
  }

  async channels(): Promise<ChannelRow[]> {
    return await this.admin('GET', '/channels')
  }

  /** RPC nodes answer as they should again. */
  mendNetwork(): void {
    for (const proxy of this.proxies) {
      proxy.plan = () => undefined
      proxy.lagBlocks = 0
    }
  }
}

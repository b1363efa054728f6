import { freePort } from '../../support/free-port.ts'
import { NodeProcess } from '../../support/node-process.ts'
import { PacketFlow } from './packet-flow.ts'

const USD = { code: 'USD', scale: 6 }
const XRP = { code: 'XRP', scale: 9 }
const CREDIT = '1000000000000000'
const PEERS = { alice: USD, bob: USD, carol: USD, dave: XRP }

export interface TwoAssetNode {
  node: NodeProcess
  /** alice pays bob, in one asset; carol pays dave, in another asset. */
  flows: [PacketFlow, PacketFlow]
  dataDirectory: string
}

/** A node and four BTP peers around it; nothing is started. */
export async function createTwoAssetNode(
  options: {
    ledger?: Record<string, unknown>
    node?: Record<string, unknown>
    window?: number
    expiresInMs?: number
    /** Of every account. Default 0.003. */
    spread?: string
  } = {},
): Promise<TwoAssetNode> {
  const port = await freePort()
  const token = (id: string) => `token-of-${id}-0123456789abcdef`
  const ids = Object.keys(PEERS) as (keyof typeof PEERS)[]
  const node = await NodeProcess.create(
    {
      ...(options.node === undefined ? {} : { node: options.node }),
      plugins: { btp: { listen: { host: '127.0.0.1', port } } },
      peers: ids.map((id) => ({
        id,
        relation: 'child',
        asset: PEERS[id],
        link: { plugin: 'btp', mode: 'server', token: `secret:${id}` },
        creditLimit: CREDIT,
        spread: options.spread ?? '0.003',
      })),
      rates: { provider: 'fixed', base: 'USD', prices: { USD: '1', XRP: '0.52' } },
      ledger: options.ledger ?? {},
      logging: { level: 'warn' },
    },
    Object.fromEntries(ids.map((id) => [id, token(id)])),
  )
  const flow = (payer: string, payee: string) =>
    new PacketFlow({
      url: `ws://127.0.0.1:${port}`,
      payer: { id: payer, token: token(payer) },
      payee: { id: payee, token: token(payee) },
      destination: `test.node.${payee}.end`,
      window: options.window ?? 64,
      ...(options.expiresInMs === undefined ? {} : { expiresInMs: options.expiresInMs }),
    })
  const dataDirectory = String(options.node?.dataDirectory ?? `${node.directory}/data`)
  return { node, flows: [flow('alice', 'bob'), flow('carol', 'dave')], dataDirectory }
}

import type { Command } from 'commander'
import type { NodeInfo, PeerView } from '../../admin/services.ts'
import type { AdminClient } from '../admin-client.ts'
import { addNodeOptions, type CommandContext, type NodeFlags, openNode } from '../command-context.ts'
import { type Output, renderFields } from '../output.ts'

interface HealthView {
  status?: string
}

export function registerStatus(program: Command, context: CommandContext): void {
  const command = program
    .command('status')
    .description('whether the node runs, where it listens, and how its peers are')
  addNodeOptions(command).action(async (flags: NodeFlags) => {
    const { client, output } = openNode(flags, context)
    const node = await client.get<NodeInfo>('/node')
    const peers = (await client.list<PeerView>('/peers')).filter(({ relation }) => relation !== 'local')
    const health = await readHealth(client)
    const summary = { connected: peers.filter(({ link }) => link.connected).length, total: peers.length }
    output.result({ url: client.url, health, node, peers: summary }, () =>
      render({ url: client.url, health, node, peers: summary, nowMs: context.io.now() }, output),
    )
  })
}

async function readHealth(client: AdminClient): Promise<string> {
  const { text, status } = await client.page('/health')
  try {
    const { status: word } = JSON.parse(text) as HealthView
    return typeof word === 'string' ? word : `unknown (HTTP ${status})`
  } catch {
    return `unknown (HTTP ${status})`
  }
}

interface StatusView {
  url: string
  health: string
  node: NodeInfo
  peers: { connected: number; total: number }
  nowMs: number
}

function render(view: StatusView, output: Output): string {
  const { node, peers, health } = view
  const { ledger } = node
  const colour = health === 'healthy' ? 'green' : health === 'degraded' ? 'yellow' : 'red'
  const latency = ledger.latencyMs === undefined ? '' : `, ${ledger.latencyMs.toFixed(1)} ms`
  const lines = renderFields([
    ['node', `${node.nodeId} (Causeway ${node.version})`],
    ['state', `${node.state} for ${formatDuration(view.nowMs - node.startedAtMs)}`],
    ['address', node.ilpAddress ?? 'not known yet: the parent has not answered'],
    [
      'ledger',
      `${ledger.backend}, ${ledger.mode}, ${ledger.available ? `available${latency}` : 'NOT AVAILABLE: no value packets are taken'}`,
    ],
    ['peers', `${peers.connected} of ${peers.total} connected`],
    ['in flight', `${node.packetsInFlight} packets`],
    ['listens on', node.listening.join(', ') || 'nothing'],
    ['admin', view.url],
  ])
  return `${lines}health:     ${output.paint(colour, health)}`
}

/** `3 d 4 h`, `5 min 7 s`: the two largest units. */
function formatDuration(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1000))
  const parts: [number, string][] = [
    [Math.floor(seconds / 86_400), 'd'],
    [Math.floor(seconds / 3_600) % 24, 'h'],
    [Math.floor(seconds / 60) % 60, 'min'],
    [seconds % 60, 's'],
  ]
  const first = parts.findIndex(([count]) => count > 0)
  if (first === -1) return '0 s'
  const shown = parts.slice(first, first + 2).filter(([count]) => count > 0)
  return shown.map(([count, unit]) => `${count} ${unit}`).join(' ')
}

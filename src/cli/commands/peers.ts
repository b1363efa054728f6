import type { Command } from 'commander'
import { Option } from 'commander'
import type { PeerView } from '../../admin/services.ts'
import { addNodeOptions, type CommandContext, collect, type NodeFlags, openNode } from '../command-context.ts'
import { formatAmount, formatMoney } from '../format-amount.ts'
import { renderFields, toJson } from '../output.ts'
import { type PeerFlags, peerChanges, peerSettings } from '../peer-settings.ts'
import { renderTable } from '../table.ts'

export function registerPeers(program: Command, context: CommandContext): void {
  const peers = program.command('peers').description('list, show, add, change and remove peers')
  addNodeOptions(peers.command('list', { isDefault: true }).description('every peer')).action(
    async (flags: NodeFlags) => {
      const { client, output } = openNode(flags, context)
      const found = await client.list<PeerView>('/peers')
      output.result(found, () => renderPeers(found))
    },
  )
  addNodeOptions(
    peers.command('show').description('one peer, with its settings').argument('<id>', 'id of the peer'),
  ).action(async (id: string, flags: NodeFlags) => {
    const { client, output } = openNode(flags, context)
    const peer = await client.get<PeerView>(peerPath(id))
    output.result(peer, () => renderPeer(peer))
  })
  registerAdd(peers, context)
  registerChange(peers, context)
  addNodeOptions(
    peers
      .command('remove')
      .description('disconnect and remove a peer that was added; its account and history stay')
      .argument('<id>', 'id of the peer'),
  ).action(async (id: string, flags: NodeFlags) => {
    const { client, output } = openNode(flags, context)
    const result = await client.call('DELETE', peerPath(id))
    output.result(result, () => `removed ${id}; its balance stays in the ledger`)
  })
}

function registerAdd(peers: Command, context: CommandContext): void {
  const command = peers
    .command('add')
    .description('add a peer while the node runs; kept over restarts')
    .argument('<id>', 'id of the peer')
    .addOption(
      new Option('--relation <relation>', 'what the peer is to us').choices(['parent', 'peer', 'child']),
    )
    .option('--asset <code>', 'asset code of the account, e.g. USD')
    .option('--scale <places>', 'decimal places of its smallest unit')
  addNodeOptions(addSettingOptions(command)).action(async (id: string, flags: NodeFlags & PeerFlags) => {
    const { client, output } = openNode(flags, context)
    const peer = await client.call<PeerView>('POST', '/peers', { body: peerSettings(id, flags, context.io) })
    output.result(peer, () => `added ${peer.id}\n\n${renderPeer(peer)}`)
  })
}

function registerChange(peers: Command, context: CommandContext): void {
  const command = peers
    .command('change')
    .description('change settings of a peer while the node runs')
    .argument('<id>', 'id of the peer')
  addNodeOptions(addSettingOptions(command)).action(async (id: string, flags: NodeFlags & PeerFlags) => {
    const { client, output } = openNode(flags, context)
    const changes = peerChanges(flags, context.io)
    const peer = await client.call<PeerView>('PATCH', peerPath(id), { body: changes })
    output.result(peer, () => `changed ${peer.id}\n\n${renderPeer(peer)}`)
  })
}

function addSettingOptions(command: Command): Command {
  return command
    .option('--plugin <name>', 'btp, ilp-http, legacy, or a plugin of the configuration')
    .option(
      '--link <key=value>',
      'option of the link, e.g. token=secret:alice; may be repeated; the link is set as a whole',
      collect,
    )
    .option('--credit-limit <units>', 'how far it may go into debt, smallest units')
    .option('--route <prefix>', 'address prefix behind the peer; may be repeated', collect)
    .option(
      '--field <path=value>',
      'any other setting, e.g. limits.packetsPerSecond=500; may be repeated',
      collect,
    )
    .option('--file <yaml>', 'settings of the peer as in the configuration file; "-" reads standard input')
}

function peerPath(id: string): string {
  return `/peers/${encodeURIComponent(id)}`
}

function renderPeers(peers: PeerView[]): string {
  return renderTable(peers, [
    { title: 'id', value: ({ id }) => id },
    { title: 'relation', value: ({ relation }) => relation },
    { title: 'link', value: ({ link }) => (link.connected ? 'up' : 'down') },
    { title: 'plugin', value: ({ plugin }) => plugin },
    {
      title: 'balance',
      value: (peer) => formatMoney(peer.balance, peer.assetScale, peer.assetCode),
      align: 'right',
    },
    { title: 'credit', value: (peer) => formatAmount(peer.creditLimit, peer.assetScale), align: 'right' },
    { title: 'in flight', value: ({ packetsInFlight }) => String(packetsInFlight), align: 'right' },
    { title: 'address', value: ({ ilpAddress }) => ilpAddress ?? '' },
  ])
}

function renderPeer(peer: PeerView): string {
  const money = (units: string) => formatMoney(units, peer.assetScale, peer.assetCode)
  const { link } = peer
  const since = link.changedAtMs === undefined ? '' : ` since ${new Date(link.changedAtMs).toISOString()}`
  const fields = renderFields([
    ['id', peer.id],
    ['relation', peer.relation],
    ['defined in', peer.source === 'config' ? 'the configuration file' : 'the admin API'],
    ['address', peer.ilpAddress],
    ['link', `${peer.plugin}, ${link.connected ? 'connected' : 'not connected'}${since}`],
    ['remote', link.remote],
    ['last error', link.lastError],
    ['balance', money(peer.balance)],
    ['reserved', money(peer.reserved)],
    ['credit limit', money(peer.creditLimit)],
    ['payable limit', peer.payableLimit === undefined ? 'none' : money(peer.payableLimit)],
    ['packets in flight', String(peer.packetsInFlight)],
  ])
  return `${fields}settings:\n${toJson(peer.settings, 2)}`
}

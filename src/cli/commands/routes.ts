import type { Command } from 'commander'
import type { RouteView } from '../../admin/services.ts'
import { addNodeOptions, type CommandContext, type NodeFlags, openNode } from '../command-context.ts'
import { renderTable } from '../table.ts'

export function registerRoutes(program: Command, context: CommandContext): void {
  const routes = program.command('routes').description('list, add, remove and try routes')
  addNodeOptions(routes.command('list', { isDefault: true }).description('every route')).action(
    async (flags: NodeFlags) => {
      const { client, output } = openNode(flags, context)
      const found = await client.list<RouteView>('/routes')
      output.result(found, () => renderRoutes(found))
    },
  )
  addNodeOptions(
    routes
      .command('add')
      .description('send an address prefix to a peer; kept over restarts')
      .argument('<prefix>', 'address prefix; "" is the default route')
      .argument('<peer>', 'id of the peer'),
  ).action(async (prefix: string, peerId: string, flags: NodeFlags) => {
    const { client, output } = openNode(flags, context)
    const route = await client.call<RouteView>('PUT', '/routes', { body: { prefix, peerId } })
    output.result(route, () => `${showPrefix(prefix)} goes to ${peerId}`)
  })
  addNodeOptions(
    routes
      .command('remove')
      .description('remove a route that was added')
      .argument('<prefix>', 'its address prefix'),
  ).action(async (prefix: string, flags: NodeFlags) => {
    const { client, output } = openNode(flags, context)
    await client.call('DELETE', '/routes', { query: { prefix } })
    output.result({ removed: prefix }, () => `removed ${showPrefix(prefix)}`)
  })
  addNodeOptions(
    routes
      .command('resolve')
      .description('which route an address takes')
      .argument('<address>', 'ILP address'),
  ).action(async (address: string, flags: NodeFlags) => {
    const { client, output } = openNode(flags, context)
    const route = await client.get<RouteView>('/routes/resolve', { address })
    output.result(
      route,
      () => `${address} goes to ${route.peerId}, by ${showPrefix(route.prefix)} (${route.source})`,
    )
  })
}

function renderRoutes(routes: RouteView[]): string {
  return renderTable(routes, [
    { title: 'prefix', value: ({ prefix }) => showPrefix(prefix) },
    { title: 'peer', value: ({ peerId }) => peerId },
    { title: 'source', value: ({ source }) => source },
  ])
}

function showPrefix(prefix: string): string {
  return prefix === '' ? '(default)' : prefix
}

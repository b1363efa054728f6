import { type Command, Option } from 'commander'
import type { PaymentChannelView, SettlementAccountView, SettlementEngineView } from '../../admin/services.ts'
import { callOnce } from '../call-once.ts'
import { CliError } from '../cli-error.ts'
import { addNodeOptions, type CommandContext, type NodeFlags, openNode } from '../command-context.ts'
import { ExitCode } from '../exit-code.ts'
import { formatAmount, formatMoney } from '../format-amount.ts'
import { renderFields } from '../output.ts'
import { readAmount } from '../read-amount.ts'
import { renderTable } from '../table.ts'

/** The node takes amounts of so many digits. */
const DIGITS_MAX = 38
/** The node answers within 75 s: the peer may be asked. */
const TIMEOUT_MS = 80_000

interface ListFlags extends NodeFlags {
  account?: string
  engine?: string
  direction?: string
  state?: string
}

interface AmountFlags extends NodeFlags {
  whole?: boolean
}

export function registerChannels(program: Command, context: CommandContext): void {
  const channels = program
    .command('channels')
    .description('payment channels with peers: what is in them, and what to do with them')
  registerList(channels, context)
  addNodeOptions(channels.command('show').description('one channel').argument('<channel>', 'its id')).action(
    async (id: string, flags: NodeFlags) => {
      const { client, output } = openNode(flags, context)
      const channel = await client.get<PaymentChannelView>(channelPath(id))
      output.result(channel, () => renderChannel(channel))
    },
  )
  registerOpen(channels, context)
  registerTopUp(channels, context)
  registerVerb(channels, context, {
    verb: 'claim',
    description: 'have the network pay out what the peer has promised in a channel',
  })
  registerVerb(channels, context, {
    verb: 'close',
    description:
      'close a channel: at once when we are paid in it, else when the peer agrees or after its delay; the peer is asked for up to 75 s',
  })
}

function registerList(channels: Command, context: CommandContext): void {
  const command = channels
    .command('list', { isDefault: true })
    .description('every channel of the engines that run')
    .option('--account <id>', 'only those of this account')
    .option('--engine <name>', 'only those of this engine')
    .addOption(
      new Option('--direction <way>', 'in: we are paid; out: we pay').choices(['in', 'out'] as const),
    )
    .addOption(
      new Option('--state <state>', 'only those that are').choices([
        'opening',
        'open',
        'closing',
        'closed',
        'disputed',
      ]),
    )
  addNodeOptions(command).action(async (flags: ListFlags) => {
    const { client, output } = openNode(flags, context)
    const { account: accountId, direction, engine, state } = flags
    const engines = await client.get<SettlementEngineView[]>('/settlements/engines')
    for (const { name, running } of engines) {
      if (running || (engine ?? name) !== name) continue
      output.warn(`the engine ${name} does not run: its channels are not shown`)
    }
    const found = await client.list<PaymentChannelView>('/channels', { accountId, direction, engine, state })
    output.result(found, () => (found.length === 0 ? 'no such channels' : renderChannels(found)))
  })
}

function registerOpen(channels: Command, context: CommandContext): void {
  const command = channels
    .command('open')
    .description(
      'open a channel to the peer of an account; answers once it is stored, the peer is asked for up to 75 s',
    )
    .argument('<account>', 'id of the peer')
    .argument(
      '<deposit>',
      "smallest units in which the engine counts the account's asset; whole units with --whole",
    )
    .option('--whole', 'the deposit is in whole units and may have decimals, e.g. 12.50')
  addNodeOptions(command).action(async (accountId: string, deposit: string, flags: AmountFlags) => {
    const { client, output } = openNode(flags, context)
    const path = `/settlements/accounts/${encodeURIComponent(accountId)}`
    const account = await client.get<SettlementAccountView>(path)
    const body = { accountId, deposit: readDeposit(deposit, account, flags.whole === true) }
    const channel = await callOnce<PaymentChannelView>(client, '/channels', {
      body,
      timeoutMs: timeout(flags),
    })
    output.result(channel, () => renderChannel(channel))
  })
}

function readDeposit(text: string, account: SettlementAccountView, isWhole: boolean): string {
  const { assetCode: code, engine, engineScale: scale } = account
  if (scale !== undefined) return readAmount(text, { isWhole, code, scale, digitsMax: DIGITS_MAX })
  throw new CliError(
    ExitCode.refused,
    `the engine ${engine} does not run: the node opens no channel without it`,
  )
}

function registerTopUp(channels: Command, context: CommandContext): void {
  const command = channels
    .command('top-up')
    .description('put more into a channel in which we pay; answers once it is stored')
    .argument('<channel>', 'its id')
    .argument('<amount>', "smallest units of the channel's token; whole units with --whole")
    .option('--whole', 'the amount is in whole units and may have decimals, e.g. 12.50')
  addNodeOptions(command).action(async (id: string, amount: string, flags: AmountFlags) => {
    const { client, output } = openNode(flags, context)
    const found = await client.get<PaymentChannelView>(channelPath(id))
    const form = { code: codeOf(found), scale: found.tokenScale, digitsMax: DIGITS_MAX }
    const body = { amount: readAmount(amount, { ...form, isWhole: flags.whole === true }) }
    const path = `${channelPath(id)}/top-up`
    const channel = await callOnce<PaymentChannelView>(client, path, { body, timeoutMs: timeout(flags) })
    output.result(channel, () => renderChannel(channel))
  })
}

function registerVerb(
  channels: Command,
  context: CommandContext,
  { verb, description }: { verb: 'claim' | 'close'; description: string },
): void {
  const command = channels.command(verb).description(description).argument('<channel>', 'its id')
  addNodeOptions(command).action(async (id: string, flags: NodeFlags) => {
    const { client, output } = openNode(flags, context)
    const path = `${channelPath(id)}/${verb}`
    const channel = await callOnce<PaymentChannelView>(client, path, { timeoutMs: timeout(flags) })
    output.result(channel, () => renderChannel(channel))
  })
}

function channelPath(id: string): string {
  return `/channels/${encodeURIComponent(id)}`
}

function timeout({ timeout: seconds = 0 }: NodeFlags): number {
  return Math.max(TIMEOUT_MS, seconds * 1000)
}

function codeOf({ assetCode, token }: PaymentChannelView): string {
  return assetCode ?? token
}

function renderChannels(channels: readonly PaymentChannelView[]): string {
  return renderTable(channels, [
    { title: 'account', value: ({ accountId }) => accountId },
    { title: 'way', value: ({ direction }) => direction },
    { title: 'state', value: ({ state }) => state },
    {
      title: 'deposit',
      value: (channel) => formatMoney(channel.deposit, channel.tokenScale, codeOf(channel)),
      align: 'right',
    },
    {
      title: 'claimed',
      value: ({ claimed, tokenScale }) => formatAmount(claimed, tokenScale),
      align: 'right',
    },
    {
      title: 'unclaimed',
      value: ({ tokenScale, unclaimed }) => formatAmount(unclaimed, tokenScale),
      align: 'right',
    },
    { title: 'expires', value: ({ expiresAtMs }) => (expiresAtMs === undefined ? '' : time(expiresAtMs)) },
    { title: 'engine', value: ({ engine }) => engine },
    { title: 'id', value: ({ id }) => id },
  ])
}

function renderChannel(channel: PaymentChannelView): string {
  const { direction, expiresAtMs, token, tokenScale } = channel
  const money = (units: string) => formatMoney(units, tokenScale, codeOf(channel))
  return renderFields([
    ['id', channel.id],
    ['account', channel.accountId],
    ['engine', channel.engine],
    ['way', direction === 'out' ? 'out: we pay' : 'in: we are paid'],
    ['state', channel.state],
    ['token', `${token}, ${tokenScale} decimal places`],
    ['deposit', money(channel.deposit)],
    ['claimed', money(channel.claimed)],
    ['unclaimed', money(channel.unclaimed)],
    ['expires', expiresAtMs === undefined ? undefined : time(expiresAtMs)],
  ])
}

function time(ms: number): string {
  return new Date(ms).toISOString()
}

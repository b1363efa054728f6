import type { Command } from 'commander'
import { type LoadEngineOptions, loadEngineConfiguration } from '../../config/load-engine-config.ts'
import type { ServedAccount, SuspendedCredit, Waiting } from '../../settlement/rfc38/host-journal.ts'
import { AdminClient } from '../admin-client.ts'
import { CliError } from '../cli-error.ts'
import {
  addJsonOption,
  type CommandContext,
  collect,
  type JsonFlags,
  openOutput,
} from '../command-context.ts'
import { REQUEST_TIMEOUT_SECONDS, reachableUrl } from '../connect.ts'
import { ExitCode } from '../exit-code.ts'
import { type Output, renderFields } from '../output.ts'
import { oneLine, renderTable } from '../table.ts'

/** Where the configuration of a served engine is, when none is named. */
const ENGINE_CONFIG = 'engine.yaml'
/** The engine answers within a minute: it looks a nonce up on its network. */
const RESUME_TIMEOUT_MS = 65_000

interface EngineFlags extends JsonFlags {
  config: string
  set?: string[]
}

interface RunFlags extends EngineFlags {
  check?: boolean
}

/** Amounts come as decimal strings. */
interface QuantityView {
  amount: string
  scale: number
}

type AccountView = Pick<ServedAccount, 'id' | 'state' | 'problem'> &
  Record<'pending' | 'carried', QuantityView> &
  Partial<Record<'settled' | 'open' | 'credited', QuantityView> & { differences: string[] }>

interface TroubleView {
  name: string
  /** Why it moves no money, though its network may answer. */
  trouble?: string
}

type StatusView = Waiting & TroubleView & { healthy: boolean; accounts: AccountView[] }
type SuspendedView = Omit<SuspendedCredit, 'quantity'> & { quantity: QuantityView }

interface ChannelView {
  id: string
  accountId: string
  direction: 'in' | 'out'
  state: string
  deposit: string
  claimed: string
  unclaimed: string
}

/** `causeway engine <name>`, and what operators do with an engine that runs. */
export function registerEngine(program: Command, context: CommandContext): void {
  const engine = program
    .command('engine')
    .description('serve a settlement engine to a foreign connector (RFC 38), and look after it')
  addEngineOptions(
    engine
      .command('run', { isDefault: true })
      .description('serve the engine until SIGINT or SIGTERM; a second signal stops it at once')
      .argument('<name>', 'its name under "engines" in the configuration')
      .option('--check', 'check the configuration as a start does, and end'),
  ).action(async (name: string, flags: RunFlags) => await run(name, flags, context))
  addEngineOptions(
    engine.command('status').description('accounts of the engine, what waits, and what went wrong'),
  ).action(async (flags: EngineFlags) => {
    const { client, output } = openEngine(flags, context)
    const status = await client.get<StatusView>('/engine')
    output.result(status, () => renderStatus(status, output))
  })
  addEngineOptions(
    engine
      .command('resume')
      .description(
        'end a halt that "engine status" tells of, once you have made sure that its cause is gone',
      ),
  ).action(async (flags: EngineFlags) => {
    const { client, output } = openEngine(flags, context)
    const timeoutMs = RESUME_TIMEOUT_MS
    const engineNow = await client.call<TroubleView>('POST', '/engine/resume', { body: {}, timeoutMs })
    output.result(engineNow, () => `resumed ${engineNow.name}${troubleLine(engineNow, output)}`)
  })
  registerSuspense(engine, context)
  registerChannels(engine, context)
}

function registerSuspense(engine: Command, context: CommandContext): void {
  addEngineOptions(
    engine.command('suspense').description('credits whose payer nobody knows, oldest first'),
  ).action(async (flags: EngineFlags) => {
    const { client, output } = openEngine(flags, context)
    const credits = await client.get<SuspendedView[]>('/suspense')
    output.result(credits, () =>
      renderTable(credits, [
        { title: 'credit', value: ({ id }) => id },
        { title: 'asset', value: ({ assetCode }) => assetCode },
        { title: 'amount', value: ({ quantity }) => showQuantity(quantity), align: 'right' },
        { title: 'sender', value: ({ sender }) => sender ?? '' },
      ]),
    )
  })
  addEngineOptions(
    engine
      .command('attribute')
      .description('give a credit in suspense to an account; the connector is told, and it cannot be undone')
      .argument('<credit>', 'its id')
      .argument('<account>', 'id of the account'),
  ).action(async (creditId: string, accountId: string, flags: EngineFlags) => {
    const { client, output } = openEngine(flags, context)
    const done = await client.call('POST', '/suspense/attribute', { body: { creditId, accountId } })
    output.result(done, () => `credit ${creditId} goes to ${accountId}`)
  })
}

function registerChannels(engine: Command, context: CommandContext): void {
  addEngineOptions(engine.command('channels').description('payment channels of the engine')).action(
    async (flags: EngineFlags) => {
      const { client, output } = openEngine(flags, context)
      const channels = await client.get<ChannelView[]>('/channels')
      output.result(channels, () =>
        renderTable(channels, [
          { title: 'channel', value: ({ id }) => id },
          { title: 'account', value: ({ accountId }) => accountId },
          { title: 'direction', value: ({ direction }) => direction },
          { title: 'state', value: ({ state }) => state },
          { title: 'deposit', value: ({ deposit }) => deposit, align: 'right' },
          { title: 'claimed', value: ({ claimed }) => claimed, align: 'right' },
          { title: 'unclaimed', value: ({ unclaimed }) => unclaimed, align: 'right' },
        ]),
      )
    },
  )
  for (const { verb, description, fields } of CHANNEL_VERBS) {
    const command = engine.command(verb).description(description)
    const names = Object.keys(fields)
    for (const [name, meaning] of Object.entries(fields)) command.argument(`<${name}>`, meaning)
    addEngineOptions(command).action(async (...values: unknown[]) => {
      const { client, output } = openEngine(values[names.length] as EngineFlags, context)
      const body = Object.fromEntries(names.map((name, index) => [name, values[index]]))
      const view = await client.call<ChannelView>('POST', `/channels/${verb}`, { body })
      output.result(view, () => `channel ${view.id} is ${view.state}`)
    })
  }
}

/** What is done with a channel, and the fields of the request. */
const CHANNEL_VERBS: { verb: string; description: string; fields: Record<string, string> }[] = [
  {
    verb: 'open',
    description: 'open a channel to the peer of an account',
    fields: { accountId: 'id of the account', deposit: "what goes into it, in the token's smallest unit" },
  },
  {
    verb: 'top-up',
    description: 'put more into a channel that we pay from',
    fields: { channelId: 'its id', amount: "how much more, in the token's smallest unit" },
  },
  {
    verb: 'claim',
    description: 'hand in the best voucher of a channel that we are paid by',
    fields: { channelId: 'its id' },
  },
  { verb: 'close', description: 'begin to close a channel', fields: { channelId: 'its id' } },
]

async function run(name: string, flags: RunFlags, context: CommandContext): Promise<void> {
  const output = openOutput(flags, context)
  const loaded = loadEngineConfiguration(loadOptions(flags, context, name))
  for (const warning of loaded.warnings) output.warn(warning)
  const runEngine = await context.loaders.loadRunEngine()
  const exitCode = await runEngine(name, loaded, {
    checkOnly: flags.check === true,
    started: (info) => {
      if (output.json) output.event({ event: 'started', ...info }, () => '')
      else output.note(`\n${startedMessage(info)}`)
    },
  })
  if (flags.check === true) output.result({ valid: true }, () => `${flags.config}: valid`)
  context.setExitCode(exitCode as ExitCode)
}

function startedMessage(info: {
  name: string
  url: string
  adminUrl: string | undefined
  connectorUrl: string
}) {
  return `Engine "${info.name}" is up\n\n${renderFields([
    ['  The connector calls', info.url],
    ['  It is told at', info.connectorUrl],
    ['  Health', `${info.url}/health`],
    ['  Operators', info.adminUrl ?? 'nowhere: engine.admin is not set'],
  ])}`
}

function addEngineOptions(command: Command): Command {
  return addJsonOption(
    command
      .option('-c, --config <file>', 'configuration file of the engine', ENGINE_CONFIG)
      .option('--set <path=value>', 'set a value over the file; may be repeated', collect),
  )
}

function loadOptions(flags: EngineFlags, { io }: CommandContext, engine?: string): LoadEngineOptions {
  const { env, workingDirectory } = io
  return { path: flags.config, env, flags: flags.set ?? [], workingDirectory, engine }
}

/** A client of the engine that runs by the configuration. */
function openEngine(flags: EngineFlags, context: CommandContext): { client: AdminClient; output: Output } {
  const { io } = context
  const { config, secrets } = loadEngineConfiguration({ ...loadOptions(flags, context), isClient: true })
  const { admin } = config.engine
  if (admin === undefined || admin.port === 0) {
    throw new CliError(
      ExitCode.configuration,
      `engine.admin in ${flags.config} ${admin === undefined ? 'is not set' : 'has no fixed port'}: operators reach the engine there. Give it host, port and token, and restart the engine`,
    )
  }
  const token = admin.token === undefined ? 'none' : secrets.resolve(admin.token)
  const client = new AdminClient({
    url: reachableUrl(admin.host, admin.port),
    token: async () => token,
    timeoutMs: REQUEST_TIMEOUT_SECONDS * 1000,
    startCommand: `${io.commandName} engine <name> --config ${flags.config}`,
    otherOption: '--config',
  })
  return { client, output: openOutput(flags, context) }
}

function renderStatus(status: StatusView, output: Output): string {
  const { name, healthy, ordersToGive, creditsToTell, suspended, problem, accounts } = status
  const state = healthy
    ? output.paint('green', 'reaches its network')
    : output.paint('red', 'does not reach its network')
  const fields = renderFields([
    ['orders not taken yet', String(ordersToGive)],
    ['credits not told yet', String(creditsToTell)],
    ['last problem of these', problem],
    ['credits in suspense', String(suspended)],
  ])
  const differences = accounts.flatMap(({ id, differences: found = [] }) =>
    found.map((text) => `${id}: ${text}\n`),
  )
  const table = renderTable(accounts, [
    { title: 'account', value: ({ id }) => id },
    { title: 'state', value: ({ state: own }) => own },
    ...(['settled', 'open', 'credited', 'pending', 'carried'] as const).map((title) => ({
      title,
      value: (account: AccountView) => showQuantity(account[title]),
      align: 'right' as const,
    })),
    { title: 'problem', value: ({ problem: own }) => own ?? '' },
  ])
  return [`${name}: ${state}${troubleLine(status, output)}\n${fields}`, table, differences.join('')]
    .filter((part) => part !== '')
    .join('\n')
}

function troubleLine({ trouble }: TroubleView, output: Output): string {
  return trouble === undefined ? '' : `\n${output.paint('red', oneLine(trouble))}`
}

/** `1500e-6`: exact, whatever the scale. */
function showQuantity(quantity: QuantityView | undefined): string {
  if (quantity === undefined) return '?'
  return quantity.amount === '0' || quantity.scale === 0
    ? quantity.amount
    : `${quantity.amount}e-${quantity.scale}`
}

import { type Command, Option } from 'commander'
import {
  type ReconciliationView,
  SETTLEMENT_STATES,
  type SettlementAccountView,
  type SettlementEngineView,
  type SettlementView,
} from '../../admin/services.ts'
import { callOnce } from '../call-once.ts'
import {
  addNodeOptions,
  type CommandContext,
  type NodeFlags,
  openNode,
  wholeNumber,
} from '../command-context.ts'
import { ExitCode } from '../exit-code.ts'
import { readAmount } from '../read-amount.ts'
import {
  renderEngines,
  renderReconciliation,
  renderSettlement,
  renderSettlementAccount,
  renderSettlementAccounts,
  renderSettlements,
  renderSuspense,
  settlementAmount,
} from '../render-settlements.ts'
import { oneLine } from '../table.ts'
import { registerAcceptDifference } from './accept-difference.ts'

/** Accounts that the node shows at once. */
const ACCOUNTS_PER_PAGE = 200
/** The node takes amounts of so many digits. */
const DIGITS_MAX = 38
/** The node answers within 45 s; engines may take long to take an order. */
const SETTLE_NOW_TIMEOUT_MS = 50_000
/** The node answers within a minute; the engine looks a nonce up on its network. */
const RESUME_ENGINE_TIMEOUT_MS = 65_000
/** The node answers within two minutes. */
const RECONCILE_TIMEOUT_MS = 125_000

interface PageFlags extends NodeFlags {
  limit: number
  before?: string
}

interface ListFlags extends PageFlags {
  account?: string
  direction?: string
  state?: string
}

export function registerSettlements(program: Command, context: CommandContext): void {
  const settlements = program
    .command('settlements')
    .description('what is paid to peers and by them outside Interledger, and whether the books agree')
  registerList(settlements, context)
  registerShow(settlements, context)
  registerAccounts(settlements, context)
  registerNow(settlements, context)
  registerPause(settlements, context)
  registerEngines(settlements, context)
  registerAcceptDifference(settlements, context)
  registerReconcile(settlements, context)
  registerSuspense(settlements, context)
  registerAttribute(settlements, context)
  registerAbandon(settlements, context)
}

function registerList(settlements: Command, context: CommandContext): void {
  const command = settlements
    .command('list', { isDefault: true })
    .description('settlements of both directions, newest first')
    .option('--account <id>', 'only those of this account')
    .addOption(
      new Option('--direction <way>', 'in: we were paid; out: we pay').choices(['in', 'out'] as const),
    )
    .addOption(new Option('--state <state>', 'only those that stand there').choices([...SETTLEMENT_STATES]))
  addPageOptions(command).action(async (flags: ListFlags) => {
    const { client, output } = openNode(flags, context)
    const { account: accountId, before, direction, limit, state } = flags
    const query = { accountId, before, direction, limit: String(limit), state }
    const found = await client.get<SettlementView[]>('/settlements', query)
    output.result(found, () =>
      found.length === 0 ? 'no such settlements' : `${renderSettlements(found)}${older(found, limit)}`,
    )
  })
}

function addPageOptions(command: Command): Command {
  return addNodeOptions(
    command
      .option('--limit <count>', 'how many, 1 to 1000', wholeNumber(1, 1000), 50)
      .option('--before <cursor>', 'the page before: the cursor printed at the end of a page'),
  )
}

function older(page: readonly SettlementView[], limit: number): string {
  const last = page.length === limit ? page.at(-1) : undefined
  return last === undefined ? '' : `\nolder ones: --before ${last.cursor}\n`
}

function registerShow(settlements: Command, context: CommandContext): void {
  const command = settlements
    .command('show')
    .description('one settlement, or one credit')
    .argument('<id>', 'its id, as the list shows it')
  addNodeOptions(command).action(async (id: string, flags: NodeFlags) => {
    const { client, output } = openNode(flags, context)
    const settlement = await client.get<SettlementView>(`/settlements/${encodeURIComponent(id)}`)
    output.result(settlement, () => renderSettlement(settlement))
  })
}

function registerAccounts(settlements: Command, context: CommandContext): void {
  const command = settlements
    .command('accounts')
    .description('accounts that settle: their terms, what is under way, and what holds them up')
    .argument('[account]', 'only this one, with everything that is known')
  addNodeOptions(command).action(async (id: string | undefined, flags: NodeFlags) => {
    const { client, output } = openNode(flags, context)
    if (id !== undefined) {
      const account = await client.get<SettlementAccountView>(accountPath(id))
      output.result(account, () => renderSettlementAccount(account))
      return
    }
    const accounts = await client.list<SettlementAccountView>('/settlements/accounts', {}, ACCOUNTS_PER_PAGE)
    output.result(accounts, () =>
      accounts.length === 0 ? 'no account settles' : renderSettlementAccounts(accounts),
    )
  })
}

function registerNow(settlements: Command, context: CommandContext): void {
  const command = settlements
    .command('settle-now')
    .alias('now')
    .description('settle with a peer now, without waiting for the threshold; answers once it is stored')
    .argument('<account>', 'id of the peer')
    .argument(
      '[amount]',
      'smallest units of the account, whole units with --whole; default: all that is above settleTo',
    )
    .option('--whole', 'the amount is in whole units and may have decimals, e.g. 12.50')
  addNodeOptions(command).action(
    async (id: string, amount: string | undefined, flags: NodeFlags & { whole?: boolean }) => {
      const { client, output } = openNode(flags, context)
      const account = await client.get<SettlementAccountView>(accountPath(id))
      const isWhole = flags.whole === true
      const body = amount === undefined ? {} : { amount: readUnits(amount, account, isWhole) }
      const path = `${accountPath(id)}/settle-now`
      const timeoutMs = atLeast(SETTLE_NOW_TIMEOUT_MS, flags)
      const planned = await callOnce<SettlementView[]>(client, path, { body, timeoutMs })
      output.result(planned, () => renderSettlements(planned))
    },
  )
}

function readUnits(text: string, account: SettlementAccountView, isWhole: boolean): string {
  const { assetCode: code, assetScale: scale } = account
  return readAmount(text, { isWhole, code, scale, digitsMax: DIGITS_MAX })
}

function registerPause(settlements: Command, context: CommandContext): void {
  addNodeOptions(
    settlements
      .command('pause')
      .description('plan and hand over no settlements of an account until it is resumed, over restarts too')
      .argument('<account>', 'id of the peer')
      .requiredOption('--reason <text>', 'why, in one line: shown until it is resumed'),
  ).action(async (id: string, flags: NodeFlags & { reason: string }) => {
    const { client, output } = openNode(flags, context)
    const account = await client.call<SettlementAccountView>('POST', `${accountPath(id)}/pause`, {
      body: { reason: flags.reason },
    })
    const { reason = flags.reason } = account.paused ?? {}
    const kept = reason === flags.reason ? '' : ` (it was paused before: ${reason})`
    output.result(account, () => `paused ${id}${kept}; what its engine has already goes on`)
  })
  addNodeOptions(
    settlements
      .command('resume')
      .description('end the pause of an account')
      .argument('<account>', 'id of the peer'),
  ).action(async (id: string, flags: NodeFlags) => {
    const { client, output } = openNode(flags, context)
    const account = await client.call<SettlementAccountView>('POST', `${accountPath(id)}/resume`)
    output.result(account, () =>
      account.pausedByConfiguration ? `resumed ${id}, but the configuration pauses it` : `resumed ${id}`,
    )
  })
}

function registerEngines(settlements: Command, context: CommandContext): void {
  addNodeOptions(
    settlements
      .command('engines')
      .description(
        'engines of the configuration: whether they run, what is the matter, and what waits for them',
      ),
  ).action(async (flags: NodeFlags) => {
    const { client, output } = openNode(flags, context)
    const engines = await client.get<SettlementEngineView[]>('/settlements/engines')
    output.result(engines, () =>
      engines.length === 0 ? 'no settlement engine is configured' : renderEngines(engines, output),
    )
  })
  addNodeOptions(
    settlements
      .command('resume-engine')
      .description('end the halt of an engine, once you have made sure that its cause is gone')
      .argument('<engine>', 'its name, as "settlements engines" shows it'),
  ).action(async (name: string, flags: NodeFlags) => {
    const { client, output } = openNode(flags, context)
    const path = `/settlements/engines/${encodeURIComponent(name)}/resume`
    const timeoutMs = atLeast(RESUME_ENGINE_TIMEOUT_MS, flags)
    const engine = await callOnce<SettlementEngineView>(client, path, { timeoutMs })
    output.result(engine, () => `resumed ${name}\n${renderEngines([engine], output)}`)
  })
}

function registerReconcile(settlements: Command, context: CommandContext): void {
  const command = settlements
    .command('reconcile')
    .description('compare ledger, journal and engines, and fail when they do not agree; changes nothing')
    .option('--last', 'do not compare now: show what the last comparison found')
  addNodeOptions(command).action(async (flags: NodeFlags & { last?: boolean }) => {
    const { client, output } = openNode(flags, context)
    const method = flags.last === true ? 'GET' : 'POST'
    const timeoutMs = atLeast(RECONCILE_TIMEOUT_MS, flags)
    const report = await client.call<ReconciliationView>(method, '/settlements/reconcile', { timeoutMs })
    output.result(report, () => renderReconciliation(report, output))
    const isGood = report.discrepancies.length === 0 && report.unchecked.length === 0
    if (!isGood) context.setExitCode(ExitCode.failed)
  })
}

function registerSuspense(settlements: Command, context: CommandContext): void {
  const command = settlements
    .command('suspense')
    .description('money that came in and that no account could be given, newest first')
  addPageOptions(command).action(async (flags: PageFlags) => {
    const { client, output } = openNode(flags, context)
    const { before, limit } = flags
    const found = await client.get<SettlementView[]>('/settlements/suspense', {
      before,
      limit: String(limit),
    })
    output.result(found, () =>
      found.length === 0 ? 'nothing is in suspense' : `${renderSuspense(found)}${older(found, limit)}`,
    )
  })
}

function registerAttribute(settlements: Command, context: CommandContext): void {
  const command = settlements
    .command('attribute')
    .description('give money in suspense to the account that it belongs to, for good')
    .argument('<credit>', 'id of the credit, as "settlements suspense" shows it')
    .argument('<account>', 'id of the peer that paid it')
    .option('--engine <name>', 'needed only when two engines have a credit of this id')
  addNodeOptions(command).action(
    async (id: string, accountId: string, flags: NodeFlags & { engine?: string }) => {
      const { client, output } = openNode(flags, context)
      const body = { accountId, ...(flags.engine === undefined ? {} : { engine: flags.engine }) }
      const path = `/settlements/${encodeURIComponent(id)}/attribute`
      const credit = await callOnce<SettlementView>(client, path, { body })
      output.result(credit, () => `${accountId} was given ${oneLine(settlementAmount(credit))}`)
    },
  )
}

interface AbandonFlags extends NodeFlags {
  outcome: string
  reason: string
  doubtful?: boolean
}

function registerAbandon(settlements: Command, context: CommandContext): void {
  const command = settlements
    .command('abandon')
    .description(
      'end a settlement by your own word, where its engine never will: a wrong word pays twice or not at all',
    )
    .argument('<id>', 'id of the settlement, held or handed-over')
    .addOption(
      new Option('--outcome <outcome>', 'paid: the peer has the money; not-paid: the amount is owed again')
        .choices(['paid', 'not-paid'] as const)
        .makeOptionMandatory(),
    )
    .requiredOption('--reason <text>', 'how you know, in one line: kept with the settlement')
    .option('--doubtful', 'that you have made sure, where the engine may have heard of the settlement')
  addNodeOptions(command).action(async (id: string, flags: AbandonFlags) => {
    const { client, output } = openNode(flags, context)
    const { doubtful = false, outcome, reason } = flags
    const path = `/settlements/${encodeURIComponent(id)}/abandon`
    const settlement = await callOnce<SettlementView>(client, path, { body: { outcome, reason, doubtful } })
    output.result(settlement, () => renderSettlement(settlement))
  })
}

function accountPath(id: string): string {
  return `/settlements/accounts/${encodeURIComponent(id)}`
}

function atLeast(timeoutMs: number, { timeout = 0 }: NodeFlags): number {
  return Math.max(timeoutMs, timeout * 1000)
}

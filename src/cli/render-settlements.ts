import type {
  DiscrepancyView,
  ReconciliationView,
  SettlementAccountView,
  SettlementEngineView,
  SettlementView,
} from '../admin/services.ts'
import { formatAmount, formatMoney } from './format-amount.ts'
import { type Output, renderFields } from './output.ts'
import { oneLine, renderTable } from './table.ts'

export function renderSettlements(settlements: readonly SettlementView[]): string {
  return renderTable(settlements, [
    { title: 'time', value: ({ createdMs }) => time(createdMs) },
    { title: 'way', value: ({ direction }) => direction },
    { title: 'account', value: ({ accountId }) => accountId ?? '(suspense)' },
    { title: 'amount', value: settlementAmount, align: 'right' },
    { title: 'state', value: ({ state }) => state },
    { title: 'engine', value: ({ engine }) => engine },
    { title: 'id', value: ({ id }) => id },
    { title: 'reason', value: ({ reason }) => reason ?? '' },
  ])
}

export function renderSettlement(settlement: SettlementView): string {
  const { accountId, assetCode, cause, createdMs, direction, engine, id, quantity, reason, sender, state } =
    settlement
  return renderFields([
    ['id', id],
    ['way', direction === 'out' ? 'out: we pay' : 'in: we were paid'],
    ['account', accountId ?? 'none yet: it stands in suspense'],
    ['engine', engine],
    ['amount', settlementAmount(settlement)],
    ['on the network', formatMoney(quantity.amount, quantity.scale, assetCode)],
    ['state', state],
    ['cause', cause],
    ['sender', sender],
    ['reason', reason],
    ['begun', time(createdMs)],
    ['last change', time(settlement.updatedMs)],
  ])
}

export function renderSuspense(credits: readonly SettlementView[]): string {
  return renderTable(credits, [
    { title: 'time', value: ({ createdMs }) => time(createdMs) },
    { title: 'amount', value: settlementAmount, align: 'right' },
    { title: 'sender', value: ({ sender }) => sender ?? '' },
    { title: 'reason', value: ({ reason }) => reason ?? '' },
    { title: 'engine', value: ({ engine }) => engine },
    { title: 'id', value: ({ id }) => id },
  ])
}

/** In units of the account; of the network for what has no account. */
export function settlementAmount({ amount, assetCode, assetScale, quantity }: SettlementView): string {
  return amount === undefined || assetScale === undefined
    ? formatMoney(quantity.amount, quantity.scale, assetCode)
    : formatMoney(amount, assetScale, assetCode)
}

export function renderSettlementAccounts(accounts: readonly SettlementAccountView[]): string {
  const money = (units: (account: SettlementAccountView) => string) => (account: SettlementAccountView) =>
    formatAmount(units(account), account.assetScale)
  return renderTable(accounts, [
    { title: 'account', value: ({ accountId }) => accountId },
    { title: 'asset', value: ({ assetCode }) => assetCode },
    { title: 'scale', value: ({ assetScale }) => String(assetScale), align: 'right' },
    { title: 'engine', value: ({ engine }) => engine },
    { title: 'scale there', value: ({ engineScale }) => String(engineScale ?? ''), align: 'right' },
    { title: 'threshold', value: money(({ threshold }) => threshold), align: 'right' },
    { title: 'settle to', value: money(({ settleTo }) => settleTo), align: 'right' },
    { title: 'open', value: ({ open }) => String(open), align: 'right' },
    { title: 'open amount', value: money(({ openAmount }) => openAmount), align: 'right' },
    { title: 'status', value: accountStatus },
  ])
}

export function renderSettlementAccount(account: SettlementAccountView): string {
  const { assetCode, assetScale, engineScale, intervalMs, maxAmount, paused, remainder } = account
  const money = (units: string) => formatMoney(units, assetScale, assetCode)
  const since = account.openSinceMs === undefined ? '' : `, the oldest since ${time(account.openSinceMs)}`
  const places = engineScale === undefined ? 'not running' : `${engineScale} decimal places`
  return renderFields([
    ['account', account.accountId],
    ['engine', `${account.engine}, ${places}`],
    ['status', accountStatus(account)],
    ['threshold', money(account.threshold)],
    ['settle to', money(account.settleTo)],
    ['interval', intervalMs === undefined ? 'none' : `${intervalMs / 1000} s`],
    ['minimum', money(account.minAmount)],
    ['maximum', maxAmount === undefined ? 'none' : money(maxAmount)],
    ['open', `${account.open}, ${money(account.openAmount)}${since}`],
    ['remainder', formatMoney(remainder.amount, remainder.scale, assetCode)],
    ['held up', account.shutReason],
    ['paused', paused === undefined ? undefined : `since ${time(paused.sinceMs)}: ${paused.reason}`],
  ])
}

function accountStatus(account: SettlementAccountView): string {
  const { engineRunning, paused, pausedByConfiguration, retryAtMs, shutReason } = account
  if (paused !== undefined) return 'paused'
  if (pausedByConfiguration) return 'paused by the configuration'
  if (!engineRunning) return 'the engine does not run'
  if (shutReason !== undefined) return 'held up: ledger and journal do not agree, or were not compared yet'
  if (retryAtMs !== undefined) return `a step failed, again at ${time(retryAtMs)}`
  return 'active'
}

/** What is the matter follows the table, a line each. */
export function renderEngines(engines: readonly SettlementEngineView[], output: Output): string {
  const table = renderTable(engines, [
    { title: 'engine', value: ({ name }) => name },
    { title: 'type', value: ({ type }) => type },
    { title: 'status', value: engineStatus },
    { title: 'since', value: ({ sinceMs }) => (sinceMs === undefined ? '' : time(sinceMs)) },
    { title: 'accounts', value: ({ accounts }) => String(accounts), align: 'right' },
    { title: 'open', value: ({ open }) => String(open), align: 'right' },
    { title: 'oldest', value: ({ openSinceMs }) => (openSinceMs === undefined ? '' : time(openSinceMs)) },
    { title: 'suspense', value: ({ suspended }) => String(suspended), align: 'right' },
    { title: 'channels', value: ({ channels }) => String(channels), align: 'right' },
  ])
  const problems = engines.flatMap(({ lastError, name, trouble }) =>
    [trouble, lastError].flatMap((text) => (text === undefined ? [] : [`${name}: ${oneLine(text)}`])),
  )
  return problems.length === 0 ? table : `${table}\n${output.paint('red', problems.join('\n'))}`
}

function engineStatus({ running, trouble }: SettlementEngineView): string {
  if (!running) return 'does not run'
  return trouble === undefined ? 'runs' : 'in trouble'
}

export function renderReconciliation(report: ReconciliationView, output: Output): string {
  const { accountsChecked, checkedAtMs, discrepancies, unchecked } = report
  const lines = [`${accountsChecked} accounts were checked, ${time(checkedAtMs)}`]
  for (const discrepancy of discrepancies) lines.push(...describeDiscrepancy(discrepancy))
  for (const { accountId, reason } of unchecked)
    lines.push(`${accountId}: could not be checked: ${oneLine(reason)}`)
  lines.push(verdict(report, output))
  return lines.join('\n')
}

function describeDiscrepancy(discrepancy: DiscrepancyView): string[] {
  const { accountId, amount, assetCode, assetScale, differences, engine } = discrepancy
  const who = accountId === undefined ? `the books of ${engine}` : `${accountId} (${engine})`
  const head = `${who}: off by ${formatMoney(amount, assetScale, assetCode)}`
  return [head, ...differences.map((difference) => `  ${oneLine(difference)}`)]
}

function verdict({ discrepancies, unchecked }: ReconciliationView, output: Output): string {
  if (discrepancies.length > 0) {
    return output.paint('red', 'LEDGER, JOURNAL AND ENGINES DO NOT AGREE: pause the accounts and look')
  }
  if (unchecked.length > 0) return output.paint('yellow', 'what could be checked agrees')
  return output.paint('green', 'ledger, journal and engines agree')
}

function time(ms: number): string {
  return new Date(ms).toISOString()
}

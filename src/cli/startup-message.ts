import type { StartedInfo } from '../config/run-options.ts'
import { formatMoney } from './format-amount.ts'

export interface StartupMessageOptions extends StartedInfo {
  /** `causeway`, `npx causeway`, … */
  commandName: string
  isDevelopment: boolean
  /** Tokens of example peers made at this start, by peer id; shown this once. */
  newTokens: ReadonlyMap<string, string>
  /** Flags that commands need to find this node, e.g. ` --config other.yaml`; empty when they find it by themselves. */
  nodeFlags: string
}

/** An amount for the first payment: a millionth of it is still a whole number at usual scales. */
const FIRST_PAYMENT_UNITS = '1000000'

/** What is told when the node is up: where it listens, new tokens, and how to send a first payment. */
export function startupMessage(options: StartupMessageOptions): string {
  const { node, adminUrl, isDevelopment } = options
  const blocks = [
    `Causeway ${node.version} is up: node "${node.nodeId}", address ${node.ilpAddress ?? 'asked from the parent'}`,
    isDevelopment ? DEVELOPMENT_NOTICE : '',
    listenBlock(node.listening, adminUrl, options),
    tokenBlock(options.newTokens),
    firstPaymentBlock(options),
  ]
  return `${blocks.filter((block) => block !== '').join('\n\n')}\n`
}

const DEVELOPMENT_NOTICE = `  THIS IS A DEVELOPMENT NODE: it is bound to this machine only (loopback), its money is play money,
  its exchange rates are made up. For a real one: causeway init`

function listenBlock(listening: string[], adminUrl: string, options: StartupMessageOptions): string {
  const pointers = options.localAccounts.map(({ paymentPointer, spspUrl }) => paymentPointer ?? spspUrl)
  const rows: [string, string][] = [
    ...listening
      .filter((address) => !address.startsWith('spsp'))
      .map((address): [string, string] => ['Peers connect to', address]),
    ...pointers
      .filter((pointer) => pointer !== undefined)
      .map((pointer): [string, string] => ['Payments come to', pointer]),
    ['Health', `${adminUrl}/health`],
    ['Metrics', `${adminUrl}/metrics`],
    ['Admin API', `${adminUrl}/api/admin`],
  ]
  return rows
    .map(([name, value], index) => `  ${(rows[index - 1]?.[0] === name ? '' : name).padEnd(18)}${value}`)
    .join('\n')
}

function tokenBlock(tokens: ReadonlyMap<string, string>): string {
  if (tokens.size === 0) return ''
  const width = Math.max(...[...tokens.keys()].map((id) => id.length)) + 2
  const lines = [...tokens].map(([id, token]) => `    ${id.padEnd(width)}${token}`)
  return [
    '  BTP tokens of the example peers, made just now. They are shown this once; only their hashes are kept:',
    ...lines,
  ].join('\n')
}

function firstPaymentBlock(options: StartupMessageOptions): string {
  const { commandName, localAccounts, nodeFlags } = options
  const [from, to] = localAccounts
  const status = `    ${commandName} status${nodeFlags}`
  if (from === undefined || to === undefined) return `  From another terminal:\n${status}`
  const money = formatMoney(FIRST_PAYMENT_UNITS, from.assetScale, from.assetCode)
  return [
    `  Send a first payment, ${money}, from another terminal in the same directory:`,
    `    ${commandName} pay ${to.id} ${FIRST_PAYMENT_UNITS} --from ${from.id}${nodeFlags}`,
    `    ${commandName} balances${nodeFlags}`,
    status,
  ].join('\n')
}

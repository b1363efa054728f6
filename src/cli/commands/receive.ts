import type { Command } from 'commander'
import type { LocalAccountView } from '../../admin/services.ts'
import { CliError } from '../cli-error.ts'
import {
  addNodeOptions,
  type CommandContext,
  type NodeFlags,
  openNode,
  wholeNumber,
} from '../command-context.ts'
import { ExitCode } from '../exit-code.ts'
import { formatMoney } from '../format-amount.ts'
import { renderFields } from '../output.ts'

/** Money is shown within half a second of its arrival, at 120 of the node's 600 reads per minute. */
const POLL_MS = 500
/** Polls in a row that may fail before the command gives up. */
const POLL_FAILURES_MAX = 20

interface ReceiveFlags extends NodeFlags {
  name?: string
  asset?: string
  scale?: number
  until?: number
}

export function registerReceive(program: Command, context: CommandContext): void {
  const command = program
    .command('receive')
    .description('open a payment pointer for tests and show arriving money until Ctrl-C')
    .option('--name <name>', 'name of the account; default: a random one')
    .option('--asset <code>', 'its asset; default: the node chooses')
    .option('--scale <places>', 'decimal places of its smallest unit', wholeNumber(0, 255))
    .option(
      '--until <units>',
      'end when so much has arrived, smallest units',
      wholeNumber(1, Number.MAX_SAFE_INTEGER),
    )
  addNodeOptions(command).action(async (flags: ReceiveFlags) => {
    const { client, output } = openNode(flags, context)
    const body = { name: flags.name, assetCode: flags.asset, assetScale: flags.scale }
    const account = await client.call<LocalAccountView>('POST', '/local-accounts', { body })
    output.event({ event: 'open', account }, () => describeAccount(account))
    output.note('waiting for money; Ctrl-C ends')
    await follow(account, flags.until, { client, output, context })
  })
}

async function follow(
  account: LocalAccountView,
  until: number | undefined,
  parts: ReturnType<typeof openNode> & { context: CommandContext },
): Promise<void> {
  const { client, output, context } = parts
  const { io } = context
  const startBalance = BigInt(account.balance)
  const { interrupted } = io
  let balance = startBalance
  let failures = 0
  const isDone = () => until !== undefined && balance - startBalance >= BigInt(until)
  while (!isDone()) {
    await io.sleep(POLL_MS, interrupted)
    if (interrupted.aborted) break
    try {
      const accounts = await client.get<LocalAccountView[]>('/local-accounts')
      const current = accounts.find(({ id }) => id === account.id)
      if (current === undefined) {
        throw new CliError(
          ExitCode.refused,
          `the node no longer has the account ${account.id}: it was restarted`,
        )
      }
      failures = 0
      const arrived = BigInt(current.balance) - balance
      if (arrived === 0n) continue
      balance += arrived
      output.event({ event: 'money', account: account.id, arrived, balance }, () => {
        const money = (units: bigint) => formatMoney(String(units), account.assetScale, account.assetCode)
        return `${new Date(io.now()).toISOString()}  ${arrived > 0n ? '+' : ''}${money(arrived)}  balance ${money(balance)}`
      })
    } catch (error) {
      failures++
      const isGone =
        error instanceof CliError &&
        error.exitCode === ExitCode.refused &&
        !error.message.includes('RATE_LIMIT')
      if (isGone || failures >= POLL_FAILURES_MAX) throw error
    }
  }
}

function describeAccount(account: LocalAccountView): string {
  return renderFields([
    ['account', `${account.id}, ${account.assetCode} with ${account.assetScale} decimal places`],
    ['payment pointer', account.paymentPointer],
    ['url', account.spspUrl],
    ['address', account.ilpAddress],
  ])
}

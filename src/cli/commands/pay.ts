import type { Command } from 'commander'
import type { LocalAccountView, PaymentView } from '../../admin/services.ts'
import type { AdminClient } from '../admin-client.ts'
import { callOnce } from '../call-once.ts'
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
import type { Output } from '../output.ts'
import { PaymentProgress } from '../payment-progress.ts'
import { readAmount } from '../read-amount.ts'
import { oneLine } from '../table.ts'

/** Asking every quarter of a second keeps below the node's 600 reads per minute. */
const POLL_MS = 250
/** 2^64 - 1, the most that a packet carries, has so many digits. */
const AMOUNT_DIGITS_MAX = 20
/** Polls in a row that may fail before the command gives up watching. */
const POLL_FAILURES_MAX = 20
const WAIT_SECONDS_MAX = 86_400

interface PayFlags extends NodeFlags {
  from?: string
  whole?: boolean
  wait: number
}

interface PayParts {
  client: AdminClient
  output: Output
  context: CommandContext
}

export function registerPay(program: Command, context: CommandContext): void {
  const command = program
    .command('pay')
    .description('pay over STREAM from an account of the node, and watch the money go')
    .argument(
      '<destination>',
      "payment pointer (in single quotes: '$host/name'), its URL, or an account of the node",
    )
    .argument('<amount>', 'smallest units of the sending account; whole units with --whole')
    .option('--from <account>', 'account of the node that pays; default: the only one')
    .option('--whole', 'the amount is in whole units and may have decimals, e.g. 12.50')
    .option(
      '--wait <seconds>',
      'how long to watch; the payment goes on after it',
      wholeNumber(1, WAIT_SECONDS_MAX),
      300,
    )
  addNodeOptions(command).action(async (destination: string, amount: string, flags: PayFlags) => {
    const parts = { ...openNode(flags, context), context }
    checkDestination(destination)
    const account = await findSender(parts.client, flags.from, destination)
    const units = readAmount(amount, {
      isWhole: flags.whole === true,
      code: account.assetCode,
      scale: account.assetScale,
      digitsMax: AMOUNT_DIGITS_MAX,
    })
    const body = { fromAccount: account.id, destination, amount: units }
    const begun = await callOnce<PaymentView>(parts.client, '/payments', { body })
    const payment = await watch(begun, account, flags.wait, parts)
    finish(payment, account, parts)
  })
}

function checkDestination(destination: string): void {
  if (destination !== '' && !destination.startsWith('/')) return
  throw new CliError(
    ExitCode.usage,
    "the destination is not complete. Put payment pointers in single quotes, or the shell replaces what follows the $: '$host/name'",
  )
}

async function findSender(
  client: AdminClient,
  from: string | undefined,
  destination: string,
): Promise<LocalAccountView> {
  const accounts = await client.get<LocalAccountView[]>('/local-accounts')
  const names = accounts.map(({ id }) => id).join(', ')
  if (accounts.length === 0) {
    throw new CliError(
      ExitCode.refused,
      'the node has no account to pay from: add one under "accounts" in its configuration',
    )
  }
  if (from === undefined) {
    const others = accounts.filter(({ id }) => id !== destination)
    if (others.length === 1) return others[0]!
    throw new CliError(ExitCode.usage, `say which account pays: --from with one of ${names}`)
  }
  const account = accounts.find(({ id }) => id === from)
  if (account !== undefined) return account
  throw new CliError(ExitCode.usage, `the node has no account "${from}" to pay from; it has ${names}`)
}

async function watch(
  begun: PaymentView,
  account: LocalAccountView,
  waitSeconds: number,
  parts: PayParts,
): Promise<PaymentView> {
  const { client, output, context } = parts
  const { io } = context
  const progress = new PaymentProgress(output, account, () => io.now())
  const endMs = io.now() + waitSeconds * 1000
  let payment = begun
  let failures = 0
  progress.show(payment)
  while (payment.state === 'running') {
    await io.sleep(POLL_MS, io.interrupted)
    if (io.interrupted.aborted)
      throw stillRunning(payment, progress, 'stopped watching', ExitCode.interrupted)
    if (io.now() > endMs)
      throw stillRunning(payment, progress, `no end after ${waitSeconds} s`, ExitCode.unknownOutcome)
    try {
      payment = await client.get<PaymentView>(`/payments/${encodeURIComponent(payment.id)}`)
      failures = 0
    } catch (error) {
      failures++
      if (failures >= POLL_FAILURES_MAX) {
        throw stillRunning(payment, progress, (error as Error).message, ExitCode.unknownOutcome)
      }
    }
    progress.show(payment)
  }
  progress.end()
  return payment
}

function stillRunning(
  payment: PaymentView,
  progress: PaymentProgress,
  why: string,
  code: ExitCode,
): CliError {
  progress.end()
  return new CliError(
    code,
    `${why}; the payment ${payment.id} was still running, ${payment.sent} of ${payment.amount} sent. It may go on: see the balances`,
  )
}

function finish(payment: PaymentView, account: LocalAccountView, parts: PayParts): void {
  const { output, context } = parts
  const sent = formatMoney(payment.sent, account.assetScale, account.assetCode)
  const { destinationAssetCode: code, destinationAssetScale: scale } = payment
  const delivered =
    code === undefined || scale === undefined
      ? `${payment.delivered} units`
      : formatMoney(payment.delivered, scale, code)
  const text = `sent ${sent} from ${account.id}, delivered ${delivered} to ${payment.destination}`
  if (payment.state === 'failed') {
    context.setExitCode(ExitCode.notDelivered)
    output.note(`causeway: the payment failed: ${oneLine(payment.message ?? 'no reason is known')}`)
  }
  output.result(
    payment,
    () => `${output.paint(payment.state === 'failed' ? 'red' : 'green', payment.state)}: ${text}`,
  )
}

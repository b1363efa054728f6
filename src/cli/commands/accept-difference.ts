import type { Command } from 'commander'
import type { AcceptedDifferenceView } from '../../admin/services.ts'
import { callOnce } from '../call-once.ts'
import {
  addNodeOptions,
  type CommandContext,
  type NodeFlags,
  openNode,
  wholeNumber,
} from '../command-context.ts'
import { formatMoney } from '../format-amount.ts'

/** The node answers within a minute. */
const TIMEOUT_MS = 65_000

interface AcceptFlags extends NodeFlags {
  asset: string
  amount: string
  reason: string
  assetScale?: number
}

export function registerAcceptDifference(settlements: Command, context: CommandContext): void {
  const command = settlements
    .command('accept-difference')
    .description(
      'go on although ledger and journal of an engine do not agree, as the ledger has it, for good: a wrong ledger pays twice',
    )
    .argument('<engine>', 'its name, as the configuration has it')
    .requiredOption('--asset <code>', 'the asset whose money outside differs')
    .requiredOption(
      '--amount <units>',
      'the difference exactly as "settlements accounts <account>" or "settlements reconcile" shows it',
    )
    .requiredOption('--reason <text>', 'how you know, in one line: kept with it')
    .option(
      '--asset-scale <scale>',
      'needed only when several scales of the asset differ',
      wholeNumber(0, 255),
    )
  addNodeOptions(command).action(async (engine: string, flags: AcceptFlags) => {
    const { client, output } = openNode(flags, context)
    const { amount, asset: assetCode, assetScale, reason, timeout = 0 } = flags
    const scale = assetScale === undefined ? {} : { assetScale }
    const accepted = await callOnce<AcceptedDifferenceView>(
      client,
      `/settlements/engines/${encodeURIComponent(engine)}/accept-difference`,
      {
        body: { assetCode, ...scale, amount, reason },
        timeoutMs: Math.max(TIMEOUT_MS, timeout * 1000),
      },
    )
    const money = (units: string) => formatMoney(units, accepted.assetScale, assetCode)
    output.result(
      accepted,
      () =>
        `accepted for ${engine}: ${money(accepted.paid)} more paid and ${money(accepted.received)} more received than the journal knew`,
    )
  })
}

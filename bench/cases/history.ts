import { copyFile } from 'node:fs/promises'
import { join } from 'node:path'
import { runRounds } from '../rounds.ts'
import { seedLedger } from '../seed-ledger.ts'
import { causeway } from '../subjects/causeway.ts'
import { withTemporaryDirectory } from '../temporary-directory.ts'
import type { CaseOptions, CaseResult } from './case.ts'
import { cpuGrowth } from './cpu-growth.ts'
import { closedWindow } from './windows.ts'

const TRANSFERS = [0, 10_000_000]
const ASSET = { code: 'USD', scale: 9 }

/** The same traffic on an empty ledger and on one with a long past. */
export async function historyCase({ rounds, seconds, say }: CaseOptions): Promise<CaseResult> {
  return await withTemporaryDirectory(async (directory) => {
    const contestants = TRANSFERS.map((packets) => {
      const key = `history-${packets}`
      const title = `${packets.toLocaleString('en')} past transfers`
      const past = join(directory, `${key}.sqlite`)
      if (packets > 0) {
        say(`writing ${title}`)
        seedLedger({ path: past, packets, asset: ASSET, accountIds: ['payer0', 'payee0'] })
      }
      const prepareDirectory = async (data: string) => {
        if (packets > 0) await copyFile(past, join(data, 'ledger.sqlite'))
      }
      const subject = causeway({ key, title, prepareDirectory })
      return { key, title, subject, pairs: 1, windows: [closedWindow(512, seconds)] }
    })
    const series = await runRounds(contestants, { rounds, say })
    return {
      name: 'history',
      title: 'Past transfers in the ledger',
      note: 'As many packets in the journal as transfers in the books: no two packets of the past were summed into one transfer.',
      x: { label: 'past transfers', values: TRANSFERS },
      series,
      facts: cpuGrowth(series),
    }
  })
}

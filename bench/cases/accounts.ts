import { runRounds } from '../rounds.ts'
import { causeway } from '../subjects/causeway.ts'
import { scraped } from '../subjects/scraped.ts'
import type { CaseOptions, CaseResult } from './case.ts'
import { cpuGrowth } from './cpu-growth.ts'
import { closedWindow } from './windows.ts'

const ACCOUNTS = [10, 1_000, 10_000]
/** As Prometheus reads the metrics by default; each window has one reading in it. Seconds. */
const SCRAPE_SECONDS = 15
/** Accounts that send or receive; the others only exist. */
const PAIRS = 4

/** Traffic over the same few accounts while more and more others stand in the configuration, the books and the metrics. */
export async function accountsCase({ rounds, say }: CaseOptions): Promise<CaseResult> {
  const contestants = ACCOUNTS.map((count) => {
    const key = `accounts-${count}`
    const title = `${count.toLocaleString('en')} accounts`
    const subject = scraped(
      causeway({ key, title, extraAccounts: count - 2 * PAIRS }),
      SCRAPE_SECONDS * 1_000,
    )
    return { key, title, subject, pairs: PAIRS, windows: [closedWindow(512, SCRAPE_SECONDS)] }
  })
  const series = await runRounds(contestants, { rounds, say })
  return {
    name: 'accounts',
    title: 'Accounts in the node',
    note: `${PAIRS} pairs exchange packets, 512 in flight over all of them; the other accounts are open and idle. The metrics of all accounts are read every ${SCRAPE_SECONDS} s, once in each window. Traffic among all accounts: see "ledger".`,
    x: { label: 'accounts', values: ACCOUNTS },
    series,
    facts: cpuGrowth(series),
  }
}

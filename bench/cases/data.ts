import { runRounds } from '../rounds.ts'
import { causeway } from '../subjects/causeway.ts'
import type { CaseOptions, CaseResult } from './case.ts'
import { closedWindow } from './windows.ts'

/** The load names each packet in 32 bytes of its data; 32 KB are the most that a packet may carry. */
const DATA_BYTES = [32, 1_024, 32_000]
/** 32 KB times this are in the sockets at once: enough to keep them busy, not enough to measure queues. */
const IN_FLIGHT = 64

/** The same traffic with larger and larger packets. */
export async function dataCase({ rounds, seconds, say }: CaseOptions): Promise<CaseResult> {
  const contestants = DATA_BYTES.map((dataBytes) => {
    const key = `data-${dataBytes}`
    const title = `${dataBytes.toLocaleString('en')} bytes of data`
    const windows = [closedWindow(IN_FLIGHT, seconds, { dataBytes })]
    return { key, title, subject: causeway({ key, title }), pairs: 1, windows }
  })
  const series = await runRounds(contestants, { rounds, say })
  return {
    name: 'data',
    title: 'Data in a packet',
    note: `One pair, ${IN_FLIGHT} packets in flight. Every byte is copied into a socket and out of one, twice: CPU per packet grows with them.`,
    x: { label: 'bytes of data', values: DATA_BYTES },
    series,
  }
}

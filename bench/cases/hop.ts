import { summarize } from '../report/summary.ts'
import { type Contestant, runRounds, type Series } from '../rounds.ts'
import { bareBtp } from '../subjects/bare-btp.ts'
import { bareHttp } from '../subjects/bare-http.ts'
import { type CausewayOptions, causeway, hasTigerBeetle } from '../subjects/causeway.ts'
import { causewayHttp } from '../subjects/causeway-http.ts'
import { ilpConnector } from '../subjects/ilp-connector.ts'
import type { Subject } from '../subjects/subject.ts'
import type { CaseOptions, CaseResult } from './case.ts'
import { flushTimeMs } from './flush-time.ts'
import { closedWindow, openWindow } from './windows.ts'

const IN_FLIGHT = [512, 64, 16, 1]
/** Of a contestant's own closed-loop rate: a load that it must carry without a queue. */
const OPEN_LOOP_SHARE = 0.5

const OURS: readonly CausewayOptions[] = [
  { key: 'causeway-btp', title: 'Causeway over BTP, sqlite ledger, FULFILL after commit' },
  { key: 'causeway-btp-immediately', title: 'the same, FULFILL relayed immediately', relay: 'immediately' },
  {
    key: 'causeway-btp-cross-asset',
    title: 'the same, from USD to XRP at a spread of 0.2 %',
    crossAsset: true,
  },
]
const OURS_TIGERBEETLE: CausewayOptions = {
  key: 'causeway-btp-tigerbeetle',
  title: 'Causeway over BTP, TigerBeetle ledger, FULFILL after commit',
  ledger: 'tigerbeetle',
}

/** One hop over one pair of accounts: this connector in its ways of running, the reference, and relays without ILP. */
export async function hopCase(options: CaseOptions): Promise<CaseResult> {
  const { seconds } = options
  const withTigerBeetle = hasTigerBeetle()
  if (!withTigerBeetle) {
    options.say('*** LEFT OUT: the TigerBeetle ledger. Put "tigerbeetle" on the PATH or set TIGERBEETLE_BIN.')
  }
  const ours = withTigerBeetle ? [...OURS, OURS_TIGERBEETLE] : OURS
  const subjects: Subject[] = [...ours.map(causeway), ilpConnector, bareBtp, causewayHttp, bareHttp]
  const contestants = chosen(subjects, options.contestants).map(contestant)

  options.say('closed loop')
  const windows = IN_FLIGHT.map((inFlight) => closedWindow(inFlight, seconds))
  const closed = await runRounds(
    contestants.map((each) => ({ ...each, windows })),
    options,
  )
  options.say('open loop at half of the rate of each')
  const halves = contestants.map((each, index) => {
    const packetsPerSecond = Math.max(1, Math.round(fastest(closed[index]!) * OPEN_LOOP_SHARE))
    return { ...each, windows: [openWindow('open-half', packetsPerSecond, seconds)] }
  })
  const open = await runRounds(halves, options)
  return {
    name: 'hop',
    title: 'One hop',
    note: [
      'One payer, one payee, 256 bytes of data; closed loop with so many packets in flight, then half of the rate of the first window in an open loop.',
      ...(withTigerBeetle ? [] : ['LEFT OUT: the TigerBeetle ledger, for want of a server.']),
    ].join(' '),
    series: closed.map((series, index) => ({
      ...series,
      windows: [...series.windows, ...open[index]!.windows],
    })),
    facts: { diskFlushMs: round(flushTimeMs()) },
  }
}

/** @throws Error when a key is none of the subjects' */
function chosen(subjects: readonly Subject[], keys: readonly string[] | undefined): readonly Subject[] {
  if (keys === undefined) return subjects
  const names = subjects.map(({ name }) => name)
  const unknown = keys.find((key) => !names.includes(key))
  if (unknown !== undefined)
    throw new Error(`there is no contestant "${unknown}": known are ${names.join(', ')}`)
  return subjects.filter(({ name }) => keys.includes(name))
}

function contestant(subject: Subject): Contestant {
  return { key: subject.name, title: subject.title, subject, pairs: 1, windows: [] }
}

/** Median packets per second of the first window. */
function fastest({ windows }: Series): number {
  return summarize(windows[0]!.results).packetsPerSecond.median
}

function round(value: number): number {
  return Math.round(value * 1_000) / 1_000
}

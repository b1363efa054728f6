/** A function of a CPU profile, as V8 names it. */
export interface CallFrame {
  functionName: string
  /** `file://…` of our files, `node:…` of Node's own, empty of the engine's. */
  url: string
}

/** Where the time of a packet goes. In the order of the path, then what is not of one packet. */
export const STAGES = [
  'sockets: writes and streams',
  'WebSocket and BTP frames in',
  'packet: parse, check, patch',
  'limits, slots and timers',
  'route and price',
  'hash of the fulfillment',
  'ledger, main thread',
  'ledger, worker: hand-over',
  'ledger, worker: journal, posting, sqlite',
  'ledger, worker: commit, with its wait for the disk',
  'WebSocket and BTP frames out',
  'metrics, health and logs',
  'garbage collection',
  'Node and engine, other',
] as const
export type Stage = (typeof STAGES)[number]

/** First match wins: file below the root of the project, then the function where a file does two things. */
const OURS: readonly (readonly [RegExp, Stage | 'idle'])[] = [
  // The worker sleeps in Atomics.wait, which the profiler takes for work.
  [/src\/ledger\/sqlite\/batch-mailbox\.ts:sleep$/, 'idle'],
  [/src\/ledger\/sqlite\/sqlite-books\.ts:#transact$/, 'ledger, worker: commit, with its wait for the disk'],
  [/plugins\/btp\/(frame-writer|flush-queue|page-pool)\.ts/, 'WebSocket and BTP frames out'],
  [
    /plugins\/btp\/.*:(writeIlpFrame|ilpFrameLength|send|sendPrepare|sendReply|nextMaskKey)$/,
    'WebSocket and BTP frames out',
  ],
  [/plugins\/btp\//, 'WebSocket and BTP frames in'],
  [/src\/ilp\/sha256\.ts/, 'hash of the fulfillment'],
  [/src\/ilp\//, 'packet: parse, check, patch'],
  [/src\/(routing|rates)\//, 'route and price'],
  [/src\/forwarding\/conversion-of\.ts/, 'route and price'],
  [/src\/forwarding\/.*:#(price|convert)$/, 'route and price'],
  [/src\/forwarding\/(intake|answers)\.ts/, 'packet: parse, check, patch'],
  [/src\/(forwarding|lib)\//, 'limits, slots and timers'],
  [/src\/ledger\/sqlite\/(batch-mailbox|sqlite-worker|worker-protocol)\.ts/, 'ledger, worker: hand-over'],
  [/src\/ledger\/sqlite\//, 'ledger, worker: journal, posting, sqlite'],
  [/src\/ledger\//, 'ledger, main thread'],
  [/src\/(observability|admin)\//, 'metrics, health and logs'],
]

const ENGINE: Readonly<Record<string, Stage | 'idle'>> = {
  '(idle)': 'idle',
  '(garbage collector)': 'garbage collection',
  '(program)': 'Node and engine, other',
  '(root)': 'Node and engine, other',
}
const SOCKET_FILES = /node:(net|internal\/(stream_base_commons|streams\/)|_?stream|internal\/js_stream)/
const SOCKET_FUNCTIONS =
  /^(writev|writeUtf8String|writeBuffer|writeLatin1String|readStart|readStop|onStreamRead)$/

/**
 * The stage that a function's own time counts for; `idle` while its thread waits.
 * @param isWorker whether the thread is the ledger's worker, whose native calls are those of sqlite
 */
export function stageOf({ functionName, url }: CallFrame, isWorker: boolean): Stage | 'idle' {
  const engine = ENGINE[functionName]
  if (engine !== undefined && url === '') {
    return engine
  }
  const place = `${url}:${functionName}`
  const ours = OURS.find(([pattern]) => pattern.test(place))
  if (ours !== undefined) return isWorker ? inWorker(ours[1]) : ours[1]
  if (SOCKET_FILES.test(url) || SOCKET_FUNCTIONS.test(functionName)) {
    return isWorker ? 'ledger, worker: hand-over' : 'sockets: writes and streams'
  }
  return 'Node and engine, other'
}

/** Whatever helper the worker uses, it uses it for the books. */
function inWorker(stage: Stage | 'idle'): Stage | 'idle' {
  return stage === 'idle' || stage.startsWith('ledger, worker')
    ? stage
    : 'ledger, worker: journal, posting, sqlite'
}

import { join } from 'node:path'
import process from 'node:process'
import { setTimeout as delay } from 'node:timers/promises'
import type { Hex } from 'viem'
import { Chain } from '../../../settlement-engines/evm/chain.ts'
import { EngineStore } from '../../../settlement-engines/evm/engine-store.ts'
import { SigningKey } from '../../../settlement-engines/evm/signing-key.ts'
import { type SenderStep, TxSender } from '../../../settlement-engines/evm/tx-sender.ts'
import { systemClock } from '../../../src/lib/clock.ts'
import { silentLogger } from '../../../src/lib/logger.ts'

export interface ChildOrder {
  readonly url: string
  readonly directory: string
  readonly privateKey: Hex
  /** Where to die, at which passing of it; undefined: to the end. */
  readonly crash: { readonly step: SenderStep; readonly count: number } | undefined
  /** Asked for at every start, as a node does that does not know what was heard. */
  readonly payments: readonly { readonly purpose: string; readonly to: Hex; readonly value: string }[]
}

const ROUNDS_MAX = 2_000
const ROUND_PAUSE_MS = 10

const order = JSON.parse(process.argv[2]!) as ChildOrder
let left = order.crash?.count ?? 0

function checkpoint(step: SenderStep): void {
  if (step !== order.crash?.step || --left > 0) return
  process.kill(process.pid, 'SIGKILL')
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0)
}

const chain = new Chain({ urls: [order.url], chainId: 31_337 }, { logger: silentLogger })
const store = new EngineStore(join(order.directory, 'evm.db'))
store.start()
store.database.exec('CREATE TABLE IF NOT EXISTS told (purpose TEXT PRIMARY KEY, kind TEXT NOT NULL)')
const tell = store.database.prepare('INSERT INTO told VALUES (?, ?)')
const sender = new TxSender(
  {
    finality: { kind: 'finalized' },
    maxFeePerGas: 10n ** 12n,
    pollMs: 0,
    bumpAfterMs: { calm: 1_000, urgent: 500 },
  },
  {
    chain,
    store,
    key: new SigningKey(order.privateKey),
    clock: systemClock,
    logger: silentLogger,
    alarm: (code) => {
      throw new Error(`alarm ${code}`)
    },
    onOutcome: ({ purpose }, { kind }) => {
      tell.run(purpose, kind)
    },
    checkpoint,
  },
)
await chain.start()
await sender.start()
for (const { purpose, to, value } of order.payments) {
  const bounds = { feeBudget: 10n ** 17n, urgency: 'calm', deadlineMs: undefined, gasLimit: 21_000n } as const
  sender.submit({ purpose, to, value: BigInt(value), data: '0x', ...bounds })
}
for (let round = 0; round < ROUNDS_MAX; round++) {
  await sender.tick()
  if (order.payments.every(({ purpose }) => sender.purpose(purpose)?.state === 'done')) break
  if (round === ROUNDS_MAX - 1) throw new Error('not all payments are done')
  await delay(ROUND_PAUSE_MS)
}
await sender.stop()
chain.stop()
store.stop()

import { rmSync, writeFileSync, writeSync } from 'node:fs'
import { BatchBuffer } from '../../../../src/ledger/batch-buffer.ts'
import { RecordKind } from '../../../../src/ledger/ledger-store.ts'
import { SqliteStore } from '../../../../src/ledger/sqlite/sqlite-store.ts'
import { systemClock } from '../../../../src/lib/clock.ts'
import { silentLogger } from '../../../../src/lib/logger.ts'

/** Writes batches until the disk refuses, tells what happened as JSON on stdout. */
const [, , path = '', mode = ''] = process.argv
const BATCH_RECORDS = 512
const BATCHES_MAX = 10_000
const MORE_ATTEMPTS = 20
const FILLER_BYTES = 1_500_000

const store = new SqliteStore({ path, packetDetailDays: 1 }, { clock: systemClock, logger: silentLogger })
await store.start()
const spec = { assetCode: 'USD', assetScale: 2, creditLimit: 0n, payableLimit: undefined }
await store.openAccount({ ...spec, id: 'alice' }, 0)
await store.openAccount({ ...spec, id: 'bob' }, 1)
let booked = 0

async function post(): Promise<void> {
  const batch = new BatchBuffer(BATCH_RECORDS)
  batch.begin(store.epoch, booked)
  for (let i = 0; i < BATCH_RECORDS; i++) batch.push(RecordKind.packet, i, 0, 1, 10, 9)
  await store.post(batch)
  booked += BATCH_RECORDS
}

async function untilRefused(): Promise<Error> {
  for (let i = 0; i < BATCHES_MAX; i++) {
    try {
      await post()
    } catch (error) {
      return error as Error
    }
  }
  throw new Error('the disk never refused')
}

async function nameOfError(call: () => Promise<unknown>): Promise<string> {
  try {
    await call()
    return 'none'
  } catch (error) {
    return (error as Error).name
  }
}

function tell(said: object): void {
  writeSync(1, JSON.stringify(said))
}

if (mode === 'until-fault') {
  const fault = await untilRefused()
  const calls = [post, () => store.probe(), () => store.balances()]
  const afterFault: string[] = []
  for (const call of calls) afterFault.push(await nameOfError(call))
  tell({ fault: fault.message, afterFault, booked })
} else {
  writeFileSync(`${path}.filler`, Buffer.alloc(FILLER_BYTES))
  const refusals = [(await untilRefused()).name]
  for (let i = 0; i < MORE_ATTEMPTS; i++)
    refusals.push(await nameOfError(i % 2 === 0 ? post : () => store.probe()))
  rmSync(`${path}.filler`)
  await store.probe()
  await post()
  const { balanced } = await store.selfCheck()
  const bob = (await store.balances()).find(({ id, kind }) => id === 'bob' && kind === 'clearing')
  tell({ refusals, balanced, missing: `${BigInt(booked) * 9n - (bob?.balance ?? 0n)}` })
}
await store.stop()

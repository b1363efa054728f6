import process from 'node:process'

/** Every place where a test may kill the node, and what is true there. */
export const CRASH_POINTS = {
  'ledger.batch-closed': 'main thread: a batch of fulfilled packets is closed, the store has not seen it',
  'ledger.before-commit': 'ledger worker: the batch is written inside a transaction, not committed',
  'ledger.after-commit': 'ledger worker: the batch is durable, nobody has been told',
  'ledger.committed': 'main thread: the batch is known to be durable, no FULFILL of it has gone back',
  'forward.reserved': "the payer's credit is set aside, the Prepare has not been sent",
  'forward.sent': 'the Prepare is with the next hop',
  'forward.fulfilled': 'a right fulfillment has come, nothing is booked',
  'forward.relayed': 'the FULFILL has gone back to the payer',
} as const
export type CrashPointName = keyof typeof CRASH_POINTS

/** `<name>` or `<name>:<count>`: die there, the count-th time it is passed. Fault tests set it. */
export const CRASH_VARIABLE = 'CAUSEWAY_CRASH_AT'

const armed = readArmed()

/**
 * Kills the own process with SIGKILL when `CAUSEWAY_CRASH_AT` names this point: nothing is flushed, no handler runs.
 * Unarmed, it is an empty function. Never armed when NODE_ENV is `production`; arming is told on stderr.
 */
export const crashPoint: (name: CrashPointName) => void = armed === undefined ? stayAlive : killer(armed)

function stayAlive(): void {}

function killer(target: { name: CrashPointName; count: number }): (name: CrashPointName) => void {
  let left = target.count
  return (name) => {
    if (name !== target.name || --left > 0) return
    process.kill(process.pid, 'SIGKILL')
    // The signal may take a moment to reach this thread: nothing may happen after the point.
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0)
  }
}

function readArmed(): { name: CrashPointName; count: number } | undefined {
  const value = process.env[CRASH_VARIABLE]
  if (value === undefined || value === '') return undefined
  if (process.env.NODE_ENV === 'production') {
    process.stderr.write(`${CRASH_VARIABLE} is ignored because NODE_ENV is production\n`)
    return undefined
  }
  const [name = '', count = '1', ...rest] = value.split(':')
  if (!Object.hasOwn(CRASH_POINTS, name) || !/^[1-9]\d{0,8}$/.test(count) || rest.length > 0) {
    const known = Object.keys(CRASH_POINTS).join(', ')
    throw new Error(
      `${CRASH_VARIABLE}="${value}" is not a crash point: write <name> or <name>:<count>, names: ${known}`,
    )
  }
  process.stderr.write(`${CRASH_VARIABLE}=${value}: this process will kill itself there, for tests only\n`)
  return { name: name as CrashPointName, count: Number(count) }
}

import type { Command } from 'commander'
import type { PingResult } from '../../admin/services.ts'
import type { AdminClient } from '../admin-client.ts'
import {
  addNodeOptions,
  type CommandContext,
  type NodeFlags,
  openNode,
  wholeNumber,
} from '../command-context.ts'
import { ExitCode } from '../exit-code.ts'
import type { Output } from '../output.ts'
import { oneLine } from '../table.ts'

/** The node takes 30 pings per minute; two seconds between them stay below that. */
const PAUSE_MS = 2_000
const COUNT_MAX = 1_000
/** Time for the request itself, beyond that of the ping. */
const GRACE_MS = 5_000

interface PingFlags extends NodeFlags {
  count: number
  wait: number
}

export function registerPing(program: Command, context: CommandContext): void {
  const command = program
    .command('ping')
    .description(
      'send a packet without value to an ILP address, through the node and its peers, and time the answer',
    )
    .argument('<address>', 'ILP address')
    .option('-n, --count <count>', 'how many, one every two seconds', wholeNumber(1, COUNT_MAX), 1)
    .option('-w, --wait <seconds>', 'how long to wait for each answer', wholeNumber(1, 30), 10)
  addNodeOptions(command).action(async (address: string, flags: PingFlags) => {
    const { client, output } = openNode(flags, context)
    const results = await pingMany(address, flags, { client, output, context })
    const reached = results.filter((result) => result.reached).length
    if (flags.count === 1) output.result(results[0], () => '')
    else
      output.result(
        { address, sent: results.length, reached, results },
        () => `${reached} of ${results.length} reached ${address}`,
      )
    if (reached < results.length) context.setExitCode(ExitCode.notDelivered)
  })
}

interface PingParts {
  client: AdminClient
  output: Output
  context: CommandContext
}

async function pingMany(address: string, flags: PingFlags, parts: PingParts): Promise<PingResult[]> {
  const { client, output, context } = parts
  const { interrupted } = context.io
  const timeoutMs = flags.wait * 1000
  const results: PingResult[] = []
  while (results.length < flags.count && !interrupted.aborted) {
    if (results.length > 0) await context.io.sleep(PAUSE_MS, interrupted)
    if (interrupted.aborted) break
    const body = { address, timeoutMs }
    const result = await client.call<PingResult>('POST', '/ping', { body, timeoutMs: timeoutMs + GRACE_MS })
    results.push(result)
    if (!flags.json) output.event(result, () => describe(address, result))
  }
  return results
}

function describe(address: string, result: PingResult): string {
  const time = `${result.roundTripMs.toFixed(1)} ms`
  if (result.reached) {
    return `reached ${address} in ${time}${result.code === undefined ? '' : ` (it answered ${oneLine(result.code)})`}`
  }
  if (result.code === undefined) return `no answer from ${address} within ${time}`
  const by = result.triggeredBy === undefined ? '' : ` by ${oneLine(result.triggeredBy)}`
  const why = result.message === undefined || result.message === '' ? '' : `: ${oneLine(result.message)}`
  return `${address} was not reached: ${oneLine(result.code)}${by} after ${time}${why}`
}

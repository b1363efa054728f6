import { spawn } from 'node:child_process'
import { resolve } from 'node:path'
import { describe, expect, it } from 'vitest'

/** It takes about 15 s; a machine that does other things as well takes longer. */
const DEADLINE_MS = 110_000

interface Report {
  event: string
  nodes: {
    node: string
    balance: string
    localBalance: string
    paid: string
    received: string
    paidTokens: string
    receivedTokens: string
    tokens: string
    channels: {
      direction: 'in' | 'out'
      state: string
      deposit: string
      claimed: string
      unclaimed: string
    }[]
  }[]
  contract: { tokens: string; supply: string }
  checks: { what: string; left: string; right: string; holds: boolean }[]
  faults: unknown[]
}

async function runDemo(): Promise<{ code: number | null; report: Report; err: string }> {
  const demo = spawn(process.execPath, [resolve('bin/causeway.mjs'), 'demo', '--settle', '--json'], {
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  // Ctrl-C makes it clean up.
  const timer = setTimeout(() => demo.kill('SIGINT'), DEADLINE_MS - 10_000)
  let [out, err] = ['', '']
  demo.stdout.on('data', (chunk: Buffer) => (out += chunk.toString()))
  demo.stderr.on('data', (chunk: Buffer) => (err += chunk.toString()))
  const code = await new Promise<number | null>((done) => demo.once('close', done))
  clearTimeout(timer)
  expect(out, err).not.toBe('')
  return { code, report: JSON.parse(out) as Report, err }
}

describe('the demonstration of settlement', () => {
  it('ends with ledgers, journals, channels and chain that agree to the last unit', {
    timeout: DEADLINE_MS,
  }, async () => {
    const { code, report, err } = await runDemo()
    expect(report.faults, err).toEqual([])
    expect(code).toBe(0)
    expect(report.checks.length).toBeGreaterThanOrEqual(25)
    const [north, south] = report.nodes as [Report['nodes'][0], Report['nodes'][0]]

    // What the demo says is what its books add up to.
    const sent = { alice: 25_123_456_789n + 3_000_000_001n, bob: 10_987_654_321n }
    expect(BigInt(north.localBalance)).toBe(sent.bob - sent.alice)
    expect(BigInt(south.localBalance)).toBe(sent.alice - sent.bob)
    expect(BigInt(north.balance)).toBe(-BigInt(south.balance))
    expect(BigInt(north.balance)).toBe(sent.alice - sent.bob - BigInt(north.paid) + BigInt(north.received))
    // Less than a unit of the token cannot be paid: it stays owed, and is paid with the next.
    expect([north.paidTokens, north.receivedTokens]).toEqual(['28123455', '10987653'])
    expect([south.receivedTokens, south.paidTokens]).toEqual(['28123455', '10987653'])
    expect(north.balance).toBe('469')

    // A claim and a close landed on the chain: what was paid out arrived.
    const [open, closed] = ['open', 'closed'].map(
      (state) => north.channels.find((one) => one.state === state)!,
    )
    expect(open).toMatchObject({ direction: 'out' })
    expect(closed).toMatchObject({ direction: 'in', claimed: south.paidTokens, unclaimed: '0' })
    expect(BigInt(open!.claimed)).toBeGreaterThan(0n)
    expect(BigInt(open!.claimed) + BigInt(open!.unclaimed)).toBe(BigInt(north.paidTokens))
    const begun = 1_000_000_000n
    expect(BigInt(north.tokens)).toBe(begun - BigInt(open!.deposit) + BigInt(closed!.claimed))
    expect(BigInt(south.tokens)).toBe(begun + BigInt(open!.claimed) - BigInt(closed!.claimed))
    expect(BigInt(report.contract.tokens)).toBe(BigInt(open!.deposit) - BigInt(open!.claimed))
    expect(BigInt(report.contract.supply)).toBe(2n * begun)
  })
})

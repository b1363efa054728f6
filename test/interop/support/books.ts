import { expect } from 'vitest'
import type { Balance, NodeProcess } from '../../support/node-process.ts'
import { waitFor } from '../../support/wait-for.ts'

/** A few hundred polls: the admin API takes 600 requests a minute. */
const QUIET_MS_MAX = 5_000

interface PeerReply {
  id: string
  reserved: string
  packetsInFlight: number
}

/** Nothing in flight, nothing reserved, debits equal credits, and the balances of each asset sum up to zero. */
export async function expectQuietBooks(...nodes: NodeProcess[]): Promise<void> {
  for (const node of nodes) {
    let held: unknown[] = []
    await waitFor(
      'nothing is in flight',
      async () => {
        const { packetsInFlight } = await node.admin<{ packetsInFlight: number }>('GET', '/node')
        held = (await node.admin<PeerReply[]>('GET', '/peers')).filter(
          (peer) => peer.packetsInFlight !== 0 || peer.reserved !== '0',
        )
        return packetsInFlight === 0 && held.length === 0
      },
      QUIET_MS_MAX,
    ).catch((error: Error) => {
      throw new Error(`${error.message}: ${JSON.stringify(held)}`)
    })
    const check = await node.admin<{ balanced: boolean }>('GET', '/ledger/self-check')
    expect(check.balanced).toBe(true)
    const sums = new Map<string, bigint>()
    for (const { kind, balance, ...account } of await node.admin<LedgerBalance[]>('GET', '/accounts')) {
      // Credit lines are what a balance may fall to, not money that moved.
      if (kind === 'line') continue
      const asset = `${account.assetCode}/${account.assetScale}`
      sums.set(asset, (sums.get(asset) ?? 0n) + BigInt(balance))
    }
    for (const [asset, sum] of sums) expect(`${asset} ${sum}`).toBe(`${asset} 0`)
  }
}

interface LedgerBalance extends Balance {
  assetCode: string
  assetScale: number
}

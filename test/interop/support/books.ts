import { expect } from 'vitest'
import type { Balance, NodeProcess } from '../../support/node-process.ts'
import { waitFor } from '../../support/wait-for.ts'

interface PeerReply {
  id: string
  reserved: string
  packetsInFlight: number
}

/** Nothing in flight, nothing reserved, debits equal credits, and the balances of each asset sum up to zero. */
export async function expectQuietBooks(...nodes: NodeProcess[]): Promise<void> {
  for (const node of nodes) {
    await waitFor('no packet is in flight', async () => {
      const { packetsInFlight } = await node.admin<{ packetsInFlight: number }>('GET', '/node')
      return packetsInFlight === 0
    })
    for (const peer of await node.admin<PeerReply[]>('GET', '/peers')) {
      expect(peer).toMatchObject({ reserved: '0', packetsInFlight: 0 })
    }
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

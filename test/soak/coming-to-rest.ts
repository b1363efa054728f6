import { setTimeout as delay } from 'node:timers/promises'
import type { Balance } from '../support/node-process.ts'
import { ENDED, paidAndCredited } from './settlement-sums.ts'
import type { SoakNode } from './soak-node.ts'
import { busyTerms, type SoakScene } from './soak-scene.ts'

/** A peer that was away is asked again after minutes. */
const REST_DEADLINE_MS = 360_000
const LOOK_MS = 500
const CLOSE_DEADLINE_MS = 240_000
/** A payer that asks for its money gets it later; the chain's clock is set forward to then, and some further. */
const CLOSE_LOOKS_PER_JUMP = 10
const JUMP_SECONDS = 1_000
const JUMPS_MAX = 10

interface AccountRow {
  readonly accountId: string
  readonly threshold: string
}

/** Everybody is up, asked to settle, and nothing is in the way. */
export async function calmDown(scene: SoakScene): Promise<void> {
  for (const node of scene.nodes) {
    node.mendNetwork()
    if (!node.isUp) await node.start()
    await node.reload(() => busyTerms())
    for (const { accountId } of await node.admin<AccountRow[]>('GET', '/settlements/accounts')) {
      await node.admin('POST', `/settlements/accounts/${accountId}/resume`)
    }
  }
  await scene.chain.anvil.setNextBaseFee(10n ** 9n)
}

/**
 * Waits until every settlement has ended, every credit is booked, what is paid is credited, and nobody owes as much as
 * a threshold.
 * @returns what is still under way after the deadline; empty when all is at rest
 */
export async function comeToRest(scene: SoakScene): Promise<string[]> {
  const deadline = Date.now() + REST_DEADLINE_MS
  for (;;) {
    const restless = await underWay(scene)
    if (restless.length === 0 || Date.now() > deadline) return restless
    await delay(LOOK_MS)
  }
}

/** Closes every channel, so that all money is in wallets again. @returns those that are open after the deadline */
export async function closeChannels(scene: SoakScene): Promise<string[]> {
  const deadline = Date.now() + CLOSE_DEADLINE_MS
  let jumps = 0
  for (let looks = 1; ; looks++) {
    const open: string[] = []
    for (const node of scene.nodes) {
      for (const channel of await node.channels()) {
        const { direction, id, state } = channel
        if (state === 'closed') continue
        open.push(`${node.name} ${direction} ${state} ${id}`)
        // The payee closes at once. The payer only where the payee does not: it knows the channel first.
        const isItsTurn = direction === 'in' || looks > CLOSE_LOOKS_PER_JUMP
        if (state === 'open' && isItsTurn) await closeOrRefuse(node, id)
      }
    }
    if (open.length === 0 || Date.now() > deadline) return open
    if (looks % (2 * CLOSE_LOOKS_PER_JUMP) === 0 && jumps++ < JUMPS_MAX) {
      await scene.chain.anvil.increaseTime(JUMP_SECONDS)
    }
    await delay(LOOK_MS)
  }
}

/** The other side may have closed it meanwhile. */
async function closeOrRefuse(node: SoakNode, id: string): Promise<void> {
  await node.admin('POST', `/channels/${id}/close`).catch((error: Error) => {
    if (!error.message.includes('"code":"CONFLICT"')) throw error
  })
}

async function underWay(scene: SoakScene): Promise<string[]> {
  const found: string[] = []
  for (const node of scene.nodes) {
    const { name } = node
    for (const { accountId, id, state } of await node.settlements('out')) {
      if (!ENDED.includes(state)) found.push(`${name} pays ${accountId}: ${state} ${id}`)
    }
    for (const { accountId, id, state } of await node.settlements('in')) {
      if (state !== 'booked') found.push(`${name} is paid by ${accountId}: ${state} ${id}`)
    }
    const balances = await node.admin<Balance[]>('GET', '/accounts')
    for (const { accountId, threshold } of await node.admin<AccountRow[]>('GET', '/settlements/accounts')) {
      const owed = balances.find(({ id, kind }) => id === accountId && kind === 'clearing')!.balance
      if (BigInt(owed) >= BigInt(threshold)) found.push(`${name} owes ${accountId} ${owed}`)
    }
    for (const { id, packetsInFlight, reserved } of await node.admin<PeerRow[]>('GET', '/peers')) {
      if (packetsInFlight !== 0 || reserved !== '0') found.push(`${name} holds packets of ${id}`)
    }
  }
  for (const { credited, paid, what } of await paidAndCredited(scene)) {
    if (paid !== credited) found.push(`${what}: ${paid} paid, ${credited} credited`)
  }
  return found
}

interface PeerRow {
  readonly id: string
  readonly reserved: string
  readonly packetsInFlight: number
}

import type { Hex } from 'viem'
import type { NodeAccount } from './final-books.ts'
import { MONEY_KINDS, type MoneyKind } from './money-kinds.ts'
import type { ProblemLog } from './problem-log.ts'
import { sumOf } from './settlement-sums.ts'
import { type SoakScene, START_TOKENS, START_WEI } from './soak-scene.ts'

interface Receipt {
  readonly from: Hex
  readonly gasUsed: Hex
  readonly effectiveGasPrice: Hex
}

/**
 * Compares every wallet with what its node has paid and received, and with the fees of its transactions; the contract
 * holds nothing. Nodes are stopped, channels closed.
 * @returns what each wallet has gained, in units of the token, without fees; by node and kind of money
 */
export async function checkChain(
  scene: SoakScene,
  accounts: ReadonlyMap<string, NodeAccount>,
  problems: ProblemLog,
): Promise<Map<string, Map<MoneyKind, bigint>>> {
  const { anvil, contract } = scene.chain
  await anvil.drain()
  const fees = await feesPaid(scene)
  const gains = new Map<string, Map<MoneyKind, bigint>>()
  for (const { name } of scene.nodes) {
    const { incoming, outgoing } = accounts.get(name)!
    const own = new Map<MoneyKind, bigint>()
    gains.set(name, own)
    for (const kind of MONEY_KINDS) {
      const address = scene.addressOf(name, kind)
      const token = scene.tokenOf(kind)
      const ofKind = ({ engine }: { engine: string }) => engine === kind.name
      const moved = sumOf(incoming.filter(ofKind)).token - sumOf(outgoing.filter(ofKind)).token
      const wei = (await anvil.balance(address)) - START_WEI + (fees.get(address) ?? 0n)
      const tokens =
        token === undefined ? 0n : (await scene.chain.tokenBalance(address, token)) - START_TOKENS
      const gained = token === undefined ? wei : tokens
      own.set(kind, gained)
      problems.expectSame(`gain of ${kind.name} in the wallet of node ${name}`, gained, moved)
      if (token !== undefined)
        problems.expectSame(`gain of coin in wallet ${kind.name} of node ${name}`, wei, 0n)
    }
  }
  problems.expectSame('coin in the contract', await anvil.balance(contract), 0n)
  for (const kind of MONEY_KINDS) {
    const token = scene.tokenOf(kind)
    if (token === undefined) continue
    problems.expectSame(`${kind.name} in the contract`, await scene.chain.tokenBalance(contract, token), 0n)
  }
  return gains
}

/** By sender, over all blocks. */
async function feesPaid({ chain }: SoakScene): Promise<Map<Hex, bigint>> {
  const fees = new Map<Hex, bigint>()
  const head = await chain.anvil.blockNumber()
  for (let block = 0; block <= head; block++) {
    const receipts = await chain.anvil.rpc<Receipt[]>('eth_getBlockReceipts', `0x${block.toString(16)}`)
    for (const { effectiveGasPrice, from, gasUsed } of receipts) {
      fees.set(from, (fees.get(from) ?? 0n) + BigInt(gasUsed) * BigInt(effectiveGasPrice))
    }
  }
  return fees
}

import { floorToScale } from './quantity.ts'

export interface SplitRules {
  minAmount: bigint
  maxAmount: bigint | undefined
  /** Scale of the amounts. */
  fromScale: number
  /** Every part can be told exactly in this scale. */
  toScale: number
  /** So many parts at most. */
  partsMax: number
}

/**
 * Parts that are settled one by one: each from `minAmount` to `maxAmount` and exact in the engine's scale. What is
 * left over (less than a unit of the engine, less than the minimum, or beyond the last part) stays owed.
 */
export function splitAmount(amount: bigint, rules: SplitRules): bigint[] {
  const { minAmount, maxAmount, fromScale, toScale, partsMax } = rules
  const parts: bigint[] = []
  let left = amount
  while (parts.length < partsMax && left > 0n) {
    const wanted = maxAmount !== undefined && left > maxAmount ? maxAmount : left
    const part = floorToScale(wanted, fromScale, toScale)
    if (part === 0n || part < minAmount) break
    parts.push(part)
    left -= part
  }
  return parts
}

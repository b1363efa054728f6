/** Amounts as SQLite keeps them: an integer while SQL can add it without loss, decimal text beyond. */
export type SqlAmount = bigint | string

export function toSqlAmount(amount: bigint): SqlAmount {
  return amount <= BigInt(Number.MAX_SAFE_INTEGER) ? amount : amount.toString()
}

export function fromSqlAmount(value: unknown): bigint {
  if (typeof value === 'bigint' || typeof value === 'number' || typeof value === 'string')
    return BigInt(value)
  throw new TypeError('not an amount')
}

import assert from 'node:assert'
import type { Account } from 'tigerbeetle-node'
import { AccountCode } from './codes.ts'
import { newAccount } from './new-account.ts'

/** Bytes of a name in the user data of one account: 16, 8 and 4. */
const PART_BYTES = 28
/** Parts of the longest name, an account id of 128 bytes. `deriveId` leaves room for 8. */
const PARTS_MAX = 5

/**
 * An account that carries its name, so that whoever reads the cluster finds it again, and a collision of ids shows.
 * What does not fit in its own user data goes into further accounts that never move.
 */
export function namedAccounts(
  id: bigint,
  name: string,
  { ledger, code, flags = 0 }: { ledger: number; code: number; flags?: number },
): Account[] {
  const bytes = Buffer.from(name, 'utf8')
  const parts = Math.max(1, Math.ceil(bytes.length / PART_BYTES))
  assert(parts <= PARTS_MAX, 'a name fits its accounts')
  return Array.from({ length: parts }, (_, at) => {
    const part = Buffer.alloc(PART_BYTES)
    bytes.copy(part, 0, at * PART_BYTES)
    const check = part.readBigUInt64BE(0) * 2n ** 64n + part.readBigUInt64BE(8)
    const head = at === 0
    const derived = { id: id + BigInt(at), check }
    return {
      ...newAccount(derived, ledger, head ? code : AccountCode.nameContinuation, head ? flags : 0),
      user_data_64: part.readBigUInt64BE(16),
      user_data_32: part.readUInt32BE(24),
    }
  })
}

/** The name that a named account carries. */
export function readName(head: Account, continuations: ReadonlyMap<bigint, Account>): string {
  const parts: Buffer[] = []
  for (let part: Account | undefined = head; part !== undefined && parts.length < PARTS_MAX; ) {
    parts.push(nameBytes(part))
    part = continuations.get(head.id + BigInt(parts.length))
  }
  return Buffer.concat(parts).toString('utf8').replaceAll('\0', '')
}

function nameBytes(account: Account): Buffer {
  const bytes = Buffer.alloc(PART_BYTES)
  bytes.writeBigUInt64BE(account.user_data_128 >> 64n, 0)
  bytes.writeBigUInt64BE(account.user_data_128 & (2n ** 64n - 1n), 8)
  bytes.writeBigUInt64BE(account.user_data_64, 16)
  bytes.writeUInt32BE(account.user_data_32, 24)
  return bytes
}

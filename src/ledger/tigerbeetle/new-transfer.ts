import type { Transfer } from 'tigerbeetle-node'

/** A transfer whose other fields are empty. */
export function newTransfer(fields: Partial<Transfer> & Pick<Transfer, 'id'>): Transfer {
  return {
    debit_account_id: 0n,
    credit_account_id: 0n,
    amount: 0n,
    pending_id: 0n,
    user_data_128: 0n,
    user_data_64: 0n,
    user_data_32: 0,
    timeout: 0,
    ledger: 0,
    code: 0,
    flags: 0,
    timestamp: 0n,
    ...fields,
  }
}

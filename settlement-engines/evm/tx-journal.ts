import assert from 'node:assert'
import type { Hex } from 'viem'
import type { EngineStore } from './engine-store.ts'
import type { Receipt } from './rpc-answers.ts'
import {
  type OpenTx,
  PurposeConflictError,
  type QueuedIntent,
  type TxAttempt,
  type TxIntent,
  type TxOutcome,
} from './tx-intent.ts'

const PURPOSE = /^[A-Za-z0-9\-_.:]{1,128}$/

/** State of a purpose, for operators and tests. */
export interface PurposeView {
  readonly state: 'queued' | 'pending' | 'done'
  readonly nonce: number | undefined
  readonly hashes: readonly Hex[]
  readonly outcome: TxOutcome['kind'] | undefined
  readonly outcomeHash: Hex | undefined
}

/**
 * The durable part of sending: purposes, their nonces, and every byte ever signed. Each method is one database
 * transaction, or part of the caller's. The schema holds that a purpose has one living nonce at most.
 *
 *   queued --signed--> pending --final--> done
 *     ^                   |
 *     +--- nonce lost ----+      queued --cancelled--> done
 */
export class TxJournal {
  readonly #store: EngineStore
  readonly #chainId: number
  readonly #address: Hex

  constructor(options: { chainId: number; address: Hex }, deps: { store: EngineStore }) {
    this.#chainId = options.chainId
    this.#address = options.address
    this.#store = deps.store
  }

  /**
   * Stores a purpose to be carried out. Repeating it changes nothing.
   * @returns whether it is new
   * @throws PurposeConflictError when the purpose was used for something else
   */
  submit(intent: TxIntent, nowMs: number): boolean {
    assert(PURPOSE.test(intent.purpose), 'a purpose has 1 to 128 characters of A-Z a-z 0-9 - _ . :')
    assert(intent.value >= 0n && intent.feeBudget > 0n, 'value and fee budget of a transaction')
    return this.#store.transaction(() => {
      const found = this.#row('SELECT * FROM intents WHERE purpose = ?', intent.purpose)
      if (found !== undefined) {
        const same =
          found.chain_id === this.#chainId &&
          found.address === this.#address &&
          found.recipient === intent.to.toLowerCase() &&
          found.value === String(intent.value) &&
          found.data === intent.data.toLowerCase()
        if (same) return false
        throw new PurposeConflictError(
          `the purpose ${intent.purpose} was used before for another transaction: nothing was sent`,
        )
      }
      this.#run(
        `INSERT INTO intents (purpose, chain_id, address, recipient, value, data, gas_limit, fee_budget, urgency,
           deadline_ms, created_ms, state) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 'queued')`,
        ...[intent.purpose, this.#chainId, this.#address, intent.to.toLowerCase(), String(intent.value)],
        ...[intent.data.toLowerCase(), intent.gasLimit === undefined ? null : String(intent.gasLimit)],
        ...[String(intent.feeBudget), intent.urgency, intent.deadlineMs ?? null, nowMs],
      )
      return true
    })
  }

  /** Purposes that have no nonce: the urgent ones, then the others, oldest first. */
  queued(limit: number): QueuedIntent[] {
    return this.#rows(
      // The index is of what is not done: it has to be said in those words.
      `SELECT * FROM intents WHERE chain_id = ? AND address = ? AND state = 'queued' AND state <> 'done'
       ORDER BY urgency = 'urgent' DESC, created_ms, rowid LIMIT ?`,
      ...[this.#chainId, this.#address, limit],
    ).map(toIntent)
  }

  /** Nonces whose outcome is not final, lowest first. */
  open(): OpenTx[] {
    const rows = this.#rows(
      `SELECT t.nonce, t.gas_limit AS tx_gas, t.signed_block, i.* FROM transactions t
       JOIN intents i ON i.purpose = t.purpose
       WHERE t.chain_id = ? AND t.address = ? AND t.state = 'open' ORDER BY t.nonce`,
      ...[this.#chainId, this.#address],
    )
    return rows.map((row) => ({
      nonce: Number(row.nonce),
      gasLimit: BigInt(String(row.tx_gas)),
      signedBlock: Number(row.signed_block),
      intent: toIntent(row),
      attempts: this.attempts(Number(row.nonce)),
    }))
  }

  /** All that was signed under a nonce, oldest first. */
  attempts(nonce: number): TxAttempt[] {
    return this.#rows(
      'SELECT * FROM attempts WHERE chain_id = ? AND address = ? AND nonce = ? ORDER BY rowid',
      ...[this.#chainId, this.#address, nonce],
    ).map(toAttempt)
  }

  /** Nonces from `from` on that counted as final, with the block of each. */
  finalFrom(from: number): { nonce: number; finalBlock: number }[] {
    return this.#rows(
      `SELECT nonce, final_block FROM transactions
       WHERE chain_id = ? AND address = ? AND nonce >= ? AND state = 'final' ORDER BY nonce`,
      ...[this.#chainId, this.#address, from],
    ).map((row) => ({ nonce: Number(row.nonce), finalBlock: Number(row.final_block) }))
  }

  purpose(purpose: string): PurposeView | undefined {
    const row = this.#row('SELECT * FROM intents WHERE purpose = ?', purpose)
    if (row === undefined) return undefined
    const transaction = this.#row(
      "SELECT nonce FROM transactions WHERE purpose = ? AND state <> 'dead'",
      purpose,
    )
    const nonce = transaction === undefined ? undefined : Number(transaction.nonce)
    return {
      state: row.state as PurposeView['state'],
      nonce,
      hashes: nonce === undefined ? [] : this.attempts(nonce).map(({ hash }) => hash),
      outcome: (row.outcome ?? undefined) as PurposeView['outcome'],
      outcomeHash: (row.outcome_hash ?? undefined) as Hex | undefined,
    }
  }

  /** The first signature of a purpose, before it is sent anywhere. */
  recordSigned(
    intent: QueuedIntent,
    place: { nonce: number; gasLimit: bigint; signedBlock: number },
    attempt: TxAttempt,
  ): void {
    this.#store.transaction(() => {
      const { changes } = this.#run(
        "UPDATE intents SET state = 'pending' WHERE purpose = ? AND state = 'queued'",
        intent.purpose,
      )
      assert(changes === 1, 'a purpose is signed for once at a time')
      this.#run(
        `INSERT INTO transactions (chain_id, address, nonce, purpose, gas_limit, signed_block, state)
         VALUES (?, ?, ?, ?, ?, ?, 'open')`,
        ...[this.#chainId, this.#address, place.nonce, intent.purpose],
        ...[String(place.gasLimit), place.signedBlock],
      )
      this.recordAttempt(place.nonce, attempt)
    })
  }

  /** A further signature under a nonce, before it is sent anywhere. */
  recordAttempt(nonce: number, attempt: TxAttempt): void {
    this.#run(
      `INSERT INTO attempts (hash, chain_id, address, nonce, kind, raw, max_fee, priority_fee, created_ms)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
      ...[attempt.hash, this.#chainId, this.#address, nonce, attempt.kind, attempt.raw],
      ...[String(attempt.maxFeePerGas), String(attempt.maxPriorityFeePerGas), attempt.createdMs],
    )
  }

  recordSent(hash: Hex, nowMs: number): void {
    this.#run('UPDATE attempts SET sent_ms = ? WHERE hash = ?', nowMs, hash)
  }

  /** The transaction is final; `effect` runs in the same database transaction. */
  finish(tx: OpenTx, receipt: Receipt, outcome: TxOutcome, effect: () => void): void {
    this.#store.transaction(() => {
      const { changes } = this.#run(
        `UPDATE transactions SET state = 'final', final_hash = ?, final_block = ?
         WHERE chain_id = ? AND address = ? AND nonce = ? AND state = 'open'`,
        ...[receipt.transactionHash, receipt.blockNumber, this.#chainId, this.#address, tx.nonce],
      )
      assert(changes === 1, 'a transaction becomes final once')
      this.#finishIntent(tx.intent.purpose, outcome)
      effect()
    })
  }

  /** Takes back a purpose that was never signed, or asks for it. @returns whether it is done with that */
  cancel(purpose: string, effect: (intent: QueuedIntent) => void): boolean {
    return this.#store.transaction(() => {
      const row = this.#row('SELECT * FROM intents WHERE purpose = ?', purpose)
      if (row === undefined || row.state === 'done') return true
      if (row.state === 'pending') {
        this.#run('UPDATE intents SET cancelled = 1 WHERE purpose = ?', purpose)
        return false
      }
      this.#finishIntent(purpose, { kind: 'cancelled', hash: undefined, feePaid: 0n })
      effect(toIntent(row))
      return true
    })
  }

  /** The nonce went, finally, to a transaction that is not ours: the purpose may be signed under another. */
  release(tx: OpenTx): void {
    this.#store.transaction(() => {
      this.#run(
        "UPDATE transactions SET state = 'dead' WHERE chain_id = ? AND address = ? AND nonce = ? AND state = 'open'",
        ...[this.#chainId, this.#address, tx.nonce],
      )
      this.#run(
        "UPDATE intents SET state = 'queued' WHERE purpose = ? AND state = 'pending'",
        tx.intent.purpose,
      )
    })
  }

  #finishIntent(purpose: string, outcome: TxOutcome): void {
    const { changes } = this.#run(
      "UPDATE intents SET state = 'done', outcome = ?, outcome_hash = ? WHERE purpose = ? AND state <> 'done'",
      ...[outcome.kind, outcome.hash ?? null, purpose],
    )
    assert(changes === 1, 'a purpose is done once')
  }

  #rows(sql: string, ...values: (string | number | null)[]): Record<string, unknown>[] {
    return this.#store.database.prepare(sql).all(...values)
  }

  #row(sql: string, ...values: (string | number | null)[]): Record<string, unknown> | undefined {
    return this.#store.database.prepare(sql).get(...values)
  }

  #run(sql: string, ...values: (string | number | null)[]): { changes: number } {
    return { changes: Number(this.#store.database.prepare(sql).run(...values).changes) }
  }
}

function toIntent(row: Record<string, unknown>): QueuedIntent {
  return {
    purpose: String(row.purpose),
    to: String(row.recipient) as Hex,
    value: BigInt(String(row.value)),
    data: String(row.data) as Hex,
    gasLimit: row.gas_limit === null ? undefined : BigInt(String(row.gas_limit)),
    feeBudget: BigInt(String(row.fee_budget)),
    urgency: row.urgency === 'urgent' ? 'urgent' : 'calm',
    deadlineMs: row.deadline_ms === null ? undefined : Number(row.deadline_ms),
    createdMs: Number(row.created_ms),
    isCancelled: row.cancelled === 1,
  }
}

function toAttempt(row: Record<string, unknown>): TxAttempt {
  return {
    hash: String(row.hash) as Hex,
    raw: String(row.raw) as Hex,
    kind: row.kind === 'cancel' ? 'cancel' : 'call',
    maxFeePerGas: BigInt(String(row.max_fee)),
    maxPriorityFeePerGas: BigInt(String(row.priority_fee)),
    createdMs: Number(row.created_ms),
    sentMs: row.sent_ms === null ? undefined : Number(row.sent_ms),
  }
}

/** Money that came in and belongs to nobody yet, at the scale in which it came. */
export interface SuspenseEntry {
  /** Idempotency key; at most 100 characters, so that ids can follow from it. */
  readonly id: string
  readonly engine: string
  readonly assetCode: string
  readonly assetScale: number
  /** More than nothing. */
  readonly amount: bigint
}

/** The part of the books that holds what nobody is known to have paid. Both calls are idempotent by the entry's id. */
export interface SuspenseBooks {
  /** Dr SETTLEMENT(engine), Cr SUSPENSE, in the asset of the entry. */
  suspend(entry: SuspenseEntry): Promise<void>
  /** Takes the whole entry back out, so that it can be credited to whom it belongs: Dr SUSPENSE, Cr SETTLEMENT(engine). */
  release(entry: SuspenseEntry): Promise<void>
}

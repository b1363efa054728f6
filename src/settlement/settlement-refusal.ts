/** Why an operator's request was not done. */
export type RefusalKind = 'invalid' | 'not-found' | 'conflict' | 'unavailable' | 'unsupported'

/** A request of an operator that cannot be done as asked: nothing was changed. */
export class SettlementRefusal extends Error {
  override readonly name = 'SettlementRefusal'
  readonly kind: RefusalKind
  constructor(kind: RefusalKind, message: string) {
    super(message)
    this.kind = kind
  }
}

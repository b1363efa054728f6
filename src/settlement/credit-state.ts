/**
 * States of an incoming credit. Each arrow is one store transaction.
 *
 *     (told) --> booking --ledger: settle in--> booked
 *       |                                         ^
 *       +--> suspending --ledger: suspend--> suspended --operator--> attributing --ledger: release, settle in--+
 *
 * `booking`, `suspending` and `attributing` are taken up again after a crash: the ledger calls are idempotent by ids
 * that follow from the credit's. The remainder moves with the row, in the same transaction.
 */
export const CREDIT_STATES = ['booking', 'booked', 'suspending', 'suspended', 'attributing'] as const
export type CreditState = (typeof CREDIT_STATES)[number]

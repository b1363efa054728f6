/**
 * States of an outgoing settlement. Each arrow is one store transaction; between two of them stands one call of
 * another system, which is idempotent by the settlement's id. A crash at any point leaves a state from which the same
 * call is made again.
 *
 *     planned ----------> held ----------> handed-over ----+
 *        |                  |                   |          |
 *        | ledger refuses   +--- engine: settled or refused (may come before the hand-over is known)
 *        v                  |                              |
 *     unholdable            +--> carried-out --> settled   |
 *        |                  +--> declined ----> refused    |
 *        +--> refused                                      v
 *                                          carried-out | declined
 *
 * | state         | ledger                  | engine                              | next step                        |
 * |---------------|-------------------------|-------------------------------------|----------------------------------|
 * | `planned`     | perhaps held            | has not heard of it                 | hold in the ledger               |
 * | `unholdable`  | perhaps held            | will never hear of it               | void what may be held            |
 * | `held`        | held                    | perhaps has it                      | hand over                        |
 * | `handed-over` | held                    | has it for good                     | none: the engine tells the end   |
 * | `carried-out` | held or posted          | done                                | post in the ledger               |
 * | `declined`    | held or voided          | will never do it                    | void in the ledger               |
 * | `settled`     | posted                  | done                                | none, final                      |
 * | `refused`     | nothing held            | will never do it                    | none, final                      |
 *
 * Nothing goes from silence to an end: only the engine's own word makes an order carried out or declined. Where an
 * operator decides (`SettlementEngine.abandon`), the engine hears it first, for good, and then tells it.
 */
export const OUTGOING_STATES = [
  'planned',
  'unholdable',
  'held',
  'handed-over',
  'carried-out',
  'declined',
  'settled',
  'refused',
] as const
export type OutgoingState = (typeof OUTGOING_STATES)[number]

const NEXT: Readonly<Record<OutgoingState, readonly OutgoingState[]>> = {
  planned: ['held', 'unholdable'],
  unholdable: ['refused'],
  held: ['handed-over', 'carried-out', 'declined'],
  'handed-over': ['carried-out', 'declined'],
  'carried-out': ['settled'],
  declined: ['refused'],
  settled: [],
  refused: [],
}

export function mayFollow(from: OutgoingState, to: OutgoingState): boolean {
  return NEXT[from].includes(to)
}

/** Whether the order has reached its end in every system. */
export function isFinal(state: OutgoingState): boolean {
  return NEXT[state].length === 0
}

/** Whether the engine does not surely have the order yet: no other may be planned before. */
export function isBeforeHandOver(state: OutgoingState): boolean {
  return state === 'planned' || state === 'unholdable' || state === 'held'
}

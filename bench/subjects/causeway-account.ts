/** Far above what a run moves, and still a plain number on the packet path. Units. */
const CREDIT_LIMIT = '4000000000000000'
/** Limits are on, as in production, and so high that only their cost shows. */
const LIMITS = {
  maxPacketAmount: '1000000000000',
  packetsPerSecond: 10_000_000,
  packetBurst: 10_000_000,
  packetsInFlight: 60_000,
  incomingAmountPerSecond: CREDIT_LIMIT,
  outgoingAmountPerSecond: CREDIT_LIMIT,
  amountInFlight: CREDIT_LIMIT,
}

/** A child of the node under test, as its configuration has it: with every limit on. */
export function causewayAccount(id: string, asset: { code: string; scale: number }, link: object) {
  return { id, relation: 'child', asset, creditLimit: CREDIT_LIMIT, link, limits: LIMITS }
}

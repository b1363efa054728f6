/**
 * ILP error codes that this connector raises or names (RFC 27, "Error Codes").
 * F: final, T: temporary, R: relative to the amount or the time left.
 */
export const ErrorCode = {
  badRequest: 'F00',
  invalidPacket: 'F01',
  unreachable: 'F02',
  invalidAmount: 'F03',
  insufficientDestinationAmount: 'F04',
  wrongCondition: 'F05',
  unexpectedPayment: 'F06',
  cannotReceive: 'F07',
  amountTooLarge: 'F08',
  applicationError: 'F99',
  internalError: 'T00',
  peerUnreachable: 'T01',
  peerBusy: 'T02',
  connectorBusy: 'T03',
  insufficientLiquidity: 'T04',
  rateLimited: 'T05',
  temporaryApplicationError: 'T99',
  transferTimedOut: 'R00',
  insufficientSourceAmount: 'R01',
  insufficientTimeout: 'R02',
  relativeApplicationError: 'R99',
} as const

export type ErrorCode = (typeof ErrorCode)[keyof typeof ErrorCode]

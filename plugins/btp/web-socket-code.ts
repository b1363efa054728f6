/** Frame types of RFC 6455, 5.2. */
export const Opcode = { continuation: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 } as const
export type Opcode = (typeof Opcode)[keyof typeof Opcode]

/** Close codes of RFC 6455, 7.4.1 that we send. */
export const CloseCode = {
  normal: 1_000,
  goingAway: 1_001,
  protocolError: 1_002,
  invalidText: 1_007,
  policyViolation: 1_008,
  tooBig: 1_009,
} as const
export type CloseCode = (typeof CloseCode)[keyof typeof CloseCode]

/** Codes a peer may send: those of the protocol, of the registry, and private ones; 1004 to 1006 and 1015 never travel. */
export function mayBeReceived(code: number): boolean {
  if (code >= 3_000) return code <= 4_999
  return code >= 1_000 && code <= 1_014 && code !== 1_004 && code !== 1_005 && code !== 1_006
}

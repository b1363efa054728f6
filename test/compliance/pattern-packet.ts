/**
 * Bytes of exactly `length` that begin like an ILP packet of that type and differ from place to place: links carry
 * packets unread.
 */
export function patternPacket(type: 12 | 13 | 14, length: number): Buffer {
  const packet = Buffer.alloc(length)
  for (let index = 0; index < length; index++)
    packet[index] = (index * 167 + (index >> 8) * 13 + length) & 0xff
  packet[0] = type
  return packet
}

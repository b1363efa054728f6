/**
 * `text` itself when its UTF-8 form has at most `bytesMax` bytes, else the longest beginning that does,
 * cut between two characters.
 */
export function truncateUtf8(text: string, bytesMax: number): string {
  // One UTF-16 unit takes at most three bytes: most texts need no count.
  if (text.length * 3 <= bytesMax || Buffer.byteLength(text) <= bytesMax) return text
  const bytes = Buffer.from(text.slice(0, bytesMax))
  let end = bytesMax
  // Bytes 10xxxxxx continue a character.
  while (end > 0 && (bytes[end]! & 0xc0) === 0x80) end--
  return bytes.toString('utf8', 0, end)
}

import { sha256OneBlock } from './sha256.ts'

/**
 * The ping protocol of the Java connector: whoever gets a Prepare with {@link PING_CONDITION} at its own
 * address answers with {@link PING_FULFILLMENT}. The fulfillment is public, so a ping must carry no money
 * that its sender minds losing.
 */

/** The 32 ASCII bytes of "ping", eight times. */
export const PING_FULFILLMENT: Buffer = Buffer.from('ping'.repeat(8), 'ascii')

/** SHA-256 of {@link PING_FULFILLMENT}. */
export const PING_CONDITION: Buffer = conditionOf(PING_FULFILLMENT)

function conditionOf(fulfillment: Buffer): Buffer {
  const words = new Uint32Array(8)
  sha256OneBlock(fulfillment, 0, words)
  const condition = Buffer.alloc(32)
  words.forEach((word, i) => {
    condition.writeUInt32BE(word, i * 4)
  })
  return condition
}

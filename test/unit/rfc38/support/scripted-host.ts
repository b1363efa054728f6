import type { EngineHost, IncomingCredit, PeerMessageError } from '../../../../src/settlement/engine.ts'

/** The node, as an engine sees it, with books in memory. Told to, it fails before or after it books. */
export class ScriptedHost implements EngineHost {
  readonly credits = new Map<string, IncomingCredit>()
  readonly settledOrders = new Set<string>()
  readonly refusedOrders = new Map<string, string>()
  readonly sent: { accountId: string; message: Buffer }[] = []
  /** Called before each booking; throwing fails it. */
  before: () => void = () => undefined
  /** Called after each booking; throwing loses the answer. */
  after: () => void = () => undefined
  /** Thrown by `send` when set. */
  sendError: PeerMessageError | undefined

  async credit(credit: IncomingCredit): Promise<void> {
    this.before()
    this.credits.set(credit.id, credit)
    this.after()
  }

  async settled(orderId: string): Promise<void> {
    this.before()
    this.settledOrders.add(orderId)
    this.after()
  }

  async refused(orderId: string, reason: string): Promise<void> {
    this.before()
    this.refusedOrders.set(orderId, reason)
    this.after()
  }

  async send(accountId: string, message: Buffer): Promise<Buffer> {
    if (this.sendError !== undefined) throw this.sendError
    this.sent.push({ accountId, message })
    return Buffer.concat([Buffer.from('peer:'), message])
  }

  // The client of a foreign engine never asks the node for these: the foreign engine keeps its own books.
  async credited(): Promise<never> {
    throw new Error('not asked for here')
  }
  async orders(): Promise<never> {
    throw new Error('not asked for here')
  }

  /** Sum of all credits, in units of 10^-`scale`. */
  total(scale: number): bigint {
    let sum = 0n
    for (const { quantity } of this.credits.values())
      sum += quantity.amount * 10n ** BigInt(scale - quantity.scale)
    return sum
  }
}

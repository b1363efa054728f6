import { setTimeout as delay } from 'node:timers/promises'
import { BtpPeer } from '../blackbox/btp-peer.ts'
import { MONEY_KINDS, type MoneyKind } from './money-kinds.ts'
import type { SoakNode } from './soak-node.ts'
import { customerToken } from './soak-scene.ts'

const RECONNECT_MS = 200

/** One who pays and is paid in one kind of money at one node, and comes back whenever the node does. */
export class Customer {
  readonly node: SoakNode
  readonly kind: MoneyKind
  isConnected = false
  readonly #answer: (prepare: Buffer) => Buffer | undefined
  #peer: BtpPeer | undefined
  #isStopped = false
  #running: Promise<void> | undefined

  constructor(node: SoakNode, kind: MoneyKind, answer: (prepare: Buffer) => Buffer | undefined) {
    this.node = node
    this.kind = kind
    this.#answer = answer
  }

  /** One for each kind of money at each node. */
  static ofAll(nodes: readonly SoakNode[], answer: (prepare: Buffer) => Buffer | undefined): Customer[] {
    return nodes.flatMap((node) => MONEY_KINDS.map((kind) => new Customer(node, kind, answer)))
  }

  start(): void {
    this.#running = this.#stayConnected()
  }

  async stop(): Promise<void> {
    this.#isStopped = true
    if (this.isConnected) await this.#peer!.close()
    await this.#running
  }

  /** @throws Error when the connection ends before the answer comes */
  async send(prepare: Buffer): Promise<Buffer> {
    return await this.#peer!.send(prepare)
  }

  async #stayConnected(): Promise<void> {
    const url = `ws://127.0.0.1:${this.node.btpPort}`
    while (!this.#isStopped) {
      const peer = new BtpPeer({ url, token: customerToken(this.node.name, this.kind) })
      this.#peer = peer
      peer.behaviour = (prepare) => {
        peer.received.length = 0
        return this.#answer(prepare)
      }
      // While the node is away there is nobody who listens.
      this.isConnected = await peer.connect().then(
        () => true,
        () => false,
      )
      if (this.#isStopped && this.isConnected) await peer.close()
      // A node that is killed resets its connections.
      if (this.isConnected) await peer.closed().catch(() => undefined)
      this.isConnected = false
      if (!this.#isStopped) await delay(RECONNECT_MS)
    }
  }
}

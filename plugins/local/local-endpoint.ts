import type { Clock } from '../../src/lib/clock.ts'
import { type Link, LinkConfigError, type LinkContext } from '../../src/peers/link.ts'
import { type DataHandler, LocalLink } from './local-link.ts'

/**
 * A peer inside the process: a program talks to the node through this object as it would through any plugin of the
 * interledgerjs kind (version 2), for instance `ilp-protocol-stream`; the node sees a link.
 *
 * @example
 *   const endpoint = new LocalEndpoint()
 *   // open a link of the plugin `local` with the option `endpoint`, then:
 *   const server = await createServer({ plugin: endpoint, serverSecret })
 */
export class LocalEndpoint {
  /** What users of the plugin interface look for. */
  static readonly version = 2
  #link: LocalLink | undefined
  #handler: DataHandler | undefined
  #isUp = false

  /** From now on packets flow, as soon as the node has opened the link; does not wait for that. */
  async connect(): Promise<void> {
    if (this.#isUp) return
    this.#isUp = true
    this.#link?.endpointUp()
  }

  /** Packets without an answer fail, both ways. */
  async disconnect(): Promise<void> {
    if (!this.#isUp) return
    this.#isUp = false
    this.#link?.endpointDown()
  }

  /** Whether packets can be sent: both sides are there. */
  isConnected(): boolean {
    return this.#link?.connected ?? false
  }

  /**
   * Sends an ILP packet to the node and resolves to its reply, at the latest when the packet expires.
   * @throws Error when the link is not connected, closes meanwhile, or too many packets await an answer
   */
  async sendData(packet: Buffer): Promise<Buffer> {
    if (this.#link === undefined) throw new Error('not connected: the node has not opened this link')
    return this.#link.request(packet)
  }

  /**
   * Who answers the packets of the node.
   * @throws Error when a handler is registered already
   */
  registerDataHandler(handler: DataHandler): void {
    if (this.#handler !== undefined) throw new Error('a data handler is registered already')
    this.#handler = handler
  }

  deregisterDataHandler(): void {
    this.#handler = undefined
  }

  /**
   * The node's end; called by the plugin. One at a time: the next after the first was stopped.
   * @throws LinkConfigError while another link uses the endpoint
   */
  attach(context: LinkContext, deps: { clock: Clock; stopped: () => void }): Link {
    if (this.#link !== undefined) {
      throw new LinkConfigError('endpoint', 'this endpoint already belongs to a link; give each link its own')
    }
    const endpoint = this
    const link: LocalLink = new LocalLink(
      context,
      {
        get isUp() {
          return endpoint.#isUp
        },
        get handler() {
          return endpoint.#handler
        },
        released() {
          if (endpoint.#link === link) endpoint.#link = undefined
          deps.stopped()
        },
      },
      deps,
    )
    this.#link = link
    return link
  }
}

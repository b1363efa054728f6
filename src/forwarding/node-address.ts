/** Our ILP address: set by the configuration, or told by the parent (ILDCP) and then liable to change. */
export class NodeAddress {
  #text: string | undefined
  #bytes: Buffer = Buffer.alloc(0)
  readonly #listeners: ((address: string | undefined) => void)[] = []

  get text(): string | undefined {
    return this.#text
  }

  /** ASCII bytes; empty while the address is not known. */
  get bytes(): Buffer {
    return this.#bytes
  }

  set(address: string | undefined): void {
    if (address === this.#text) return
    this.#text = address
    this.#bytes = Buffer.from(address ?? '', 'ascii')
    for (const listener of this.#listeners) listener(address)
  }

  onChange(listener: (address: string | undefined) => void): void {
    this.#listeners.push(listener)
  }

  /** The address a child or local account gets from us; undefined while ours is not known. */
  childAddress(segment: string): string | undefined {
    return this.#text === undefined ? undefined : `${this.#text}.${segment}`
  }
}

/** One account's end at the connector: what the load needs to play its peer. */
export interface PeerEnd {
  id: string
  /**
   * `ws://…` of the connector's BTP server (payers and payees dial it); or the `http://…` URL that takes Prepares: the
   * connector's for a payer, the load's own for a payee.
   */
  url: string
  /** Bearer or BTP token, both ways. */
  token: string
  /** Where packets for this account go: an ILP address, the prefix of any number of them. */
  address: string
  /**
   * Packets go to 10 to this power addresses in turn: the digits are their last segment. 1 to 9. Not given: 1,000
   * addresses, as if so many payments ran at once.
   */
  addressDigits?: number
}

/** Payer `i` pays payee `i`. */
export interface Ends {
  protocol: 'btp' | 'http'
  payers: PeerEnd[]
  payees: PeerEnd[]
  /** What a payee must get for a packet of `amount`: the rate, spread included. */
  deliveredAmount(amount: number): number
}

/** A connector that runs, as processes of its own. */
export interface RunningSubject {
  ends: Ends
  /** Its processes: their CPU time and memory are the connector's (a database server of its own left out). */
  pids: number[]
  /** The end of what its processes printed, for the message when it fails. */
  output?(): string
  /** Ends the processes and removes what they wrote. */
  stop(): Promise<void>
}

export interface SubjectSetup {
  /** Pairs of a payer and a payee, each account with a connection of its own. 1 to 64. */
  pairs: number
}

/** Something that forwards packets, in the state that its users would run it in. */
export interface Subject {
  /** Short and stable: the key in the JSON. */
  readonly name: string
  readonly title: string
  start(setup: SubjectSetup): Promise<RunningSubject>
}

import type { PeerEnd } from './subject.ts'

/** The ends of accounts that speak ILP-over-HTTP; all of a kind at one port, told apart by their paths. */
export function httpEnds(options: {
  kind: 'payer' | 'payee'
  pairs: number
  port: number
  /** Path of the account with this index. */
  path: (index: number) => string
  /** ILP address of the connector, whose children they are. */
  parentAddress: string
}): PeerEnd[] {
  const { kind, pairs, port, path, parentAddress } = options
  return Array.from({ length: pairs }, (_, index) => ({
    id: `${kind}${index}`,
    url: `http://127.0.0.1:${port}${path(index)}`,
    token: `token-of-${kind}-${index}-of-the-bench`,
    address: `${parentAddress}.${kind}${index}`,
  }))
}

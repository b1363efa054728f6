/** A token for a test, long enough to be taken. */
export const tokenOf = (id: string): string => `token-of-${id}-0123456789abcdef`

export interface Asset {
  code: string
  scale: number
}

interface PeerSettings {
  id: string
  relation: 'parent' | 'peer' | 'child'
  asset: Asset
  [more: string]: unknown
}

/** Secrets file of a node: one token per name. */
export function secretsOf(...ids: string[]): Record<string, string> {
  return Object.fromEntries(ids.map((id) => [id, tokenOf(id)]))
}

/** A peer that dials our BTP listener with the token of its id; it may owe us as much as it likes. */
export function btpGuest(settings: PeerSettings): Record<string, unknown> {
  const link = { plugin: 'btp', mode: 'server', token: `secret:${settings.id}` }
  return { creditLimit: '1000000000000000000', link, ...settings }
}

/** A peer that we dial over BTP. */
export function btpHost(settings: PeerSettings, port: number): Record<string, unknown> {
  const link = {
    plugin: 'btp',
    mode: 'client',
    url: `ws://127.0.0.1:${port}`,
    token: `secret:${settings.id}`,
    reconnectMsMin: 20,
    reconnectMsMax: 200,
  }
  return { creditLimit: '1000000000000000000', link, ...settings }
}

export const btpListener = (port: number) => ({ btp: { listen: { host: '127.0.0.1', port } } })

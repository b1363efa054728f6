/** What a token can be allowed to do. Scopes do not include each other. */
export const SCOPES = {
  'admin:read': 'See the node, its peers, routes, rates, accounts, history and configuration.',
  'admin:write': 'Change peers and routes, the log level, and reload the configuration.',
  'payments:read': 'See local accounts and payments.',
  'payments:write': 'Spend money of local accounts, open local accounts, send pings.',
  'settlements:write':
    'Settle with peers now, pause, resume and abandon it, attribute credits, operate payment channels.',
} as const

export type Scope = keyof typeof SCOPES

/** @returns the scopes in `text`, which are separated by spaces; unknown words are left out */
export function parseScopes(text: string): Set<Scope> {
  return new Set(text.split(' ').filter(isScope))
}

export function isScope(word: string): word is Scope {
  return Object.hasOwn(SCOPES, word)
}

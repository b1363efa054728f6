import fc from 'fast-check'

/** What a route table must answer, by trying every route. */
export function naiveLookup(routes: Map<string, string>, address: string): string | undefined {
  let best: string | undefined
  for (const prefix of routes.keys()) {
    const matches = prefix === '' || address === prefix || address.startsWith(`${prefix}.`)
    if (matches && (best === undefined || prefix.length > best.length)) best = prefix
  }
  return best === undefined ? undefined : routes.get(best)
}

/** Addresses over an alphabet so small that they often share prefixes and half segments. */
export function segments(minLength: number, maxLength: number): fc.Arbitrary<string> {
  return fc
    .array(fc.constantFrom('g', 'a', 'b', 'ab', 'aa', 'a-', '~'), { minLength, maxLength })
    .map((parts) => parts.join('.'))
}

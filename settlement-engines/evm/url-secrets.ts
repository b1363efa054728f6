/** Shorter parts are words like `v3`, and would be found everywhere. */
const SECRET_LENGTH_MIN = 6

/**
 * What of a node's URL nobody else may read: user, password, path and query, and their parts. The longest first, so
 * that nothing is left of one that contains another.
 */
export function secretsOf(url: URL): string[] {
  const { password, pathname, search, searchParams, username } = url
  const parts = [username, password, pathname, search, `${pathname}${search}`]
  parts.push(...pathname.split('/'), ...searchParams.values())
  const all = parts.flatMap((part) => [part, decoded(part)])
  return [...new Set(all)]
    .filter((part) => part.length >= SECRET_LENGTH_MIN)
    .sort((a, b) => b.length - a.length)
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part)
  } catch {
    return part
  }
}

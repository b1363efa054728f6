const POINTER_LENGTH_MAX = 2_048
/** `$host` or `$host/path`, with the characters that RFC 3986 allows in them; no port, user, query or fragment. */
const POINTER = /^\$[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?(?:\/[A-Za-z0-9._~!$&'()*+,;=:@%-]*)*$/
const WELL_KNOWN_PATH = '/.well-known/pay'

/**
 * The SPSP endpoint behind a payment pointer (RFC 26) or an SPSP URL. Plain http is for the own machine only.
 * @throws RangeError that says what is wrong with it
 */
export function resolvePaymentPointer(text: string): URL {
  if (text.length > POINTER_LENGTH_MAX) throw new RangeError('a payment pointer of that length is not valid')
  if (text.startsWith('$')) {
    if (!POINTER.test(text)) {
      throw new RangeError(
        `not a payment pointer: "${text.slice(0, 100)}"; write $host or $host/path, without port, query or fragment`,
      )
    }
    const url = new URL(`https://${text.slice(1)}`)
    if (url.pathname === '/') url.pathname = WELL_KNOWN_PATH
    return url
  }
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url === undefined) {
    throw new RangeError(`"${text.slice(0, 100)}" is neither a payment pointer ($host/path) nor a URL`)
  }
  if (url.username !== '' || url.password !== '') throw new RangeError('an SPSP URL has no user or password')
  if (url.protocol === 'https:' || (url.protocol === 'http:' && isLoopback(url))) return url
  throw new RangeError('an SPSP URL begins with https://; http:// is taken for this machine only')
}

/** The payment pointer of an https URL; undefined when it has none, for instance because of a port. */
export function paymentPointerOf(url: URL): string | undefined {
  if (url.protocol !== 'https:' || url.port !== '' || url.search !== '' || url.hash !== '') return undefined
  if (url.username !== '' || url.hostname.startsWith('[')) return undefined
  return `$${url.hostname}${url.pathname === WELL_KNOWN_PATH || url.pathname === '/' ? '' : url.pathname}`
}

/** Whether the URL names this machine itself, literally. */
export function isLoopback(url: URL): boolean {
  return url.hostname === 'localhost' || url.hostname === '[::1]' || /^127\.\d+\.\d+\.\d+$/.test(url.hostname)
}

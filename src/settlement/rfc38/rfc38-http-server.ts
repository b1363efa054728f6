import type { Logger } from '../../lib/logger.ts'
import {
  type BoundedHttpDeps,
  BoundedHttpServer,
  type BoundedListen,
  type Endpoint,
  HttpRefusal,
  type HttpReply,
  type HttpRequest,
} from './bounded-http-server.ts'

/** A Quantity or an account id; the longest amount that is read has 334 digits. */
const JSON_LENGTH_MAX = 1_024
/** More than an ILP packet carries. */
export const MESSAGE_LENGTH_MAX = 65_536

const PATH = /^\/accounts(?:\/([^/?#]{1,400})(?:\/(settlements|messages))?)?$/
/**
 * RFC 38, "Accounts and identifiers": the unreserved characters of RFC 3986. Not `.` and `..`: in a path they lead
 * elsewhere.
 */
const ACCOUNT_ID = /^(?!\.{1,2}$)[A-Za-z0-9._~-]{1,128}$/

export interface Rfc38Request extends HttpRequest {
  readonly accountId: string
}

type Handler = (request: Rfc38Request) => Promise<HttpReply>

/** What is served; an absent one is answered 404. `createAccount` finds the body in `request.body`. */
export interface Rfc38Routes {
  readonly createAccount?: Handler
  readonly deleteAccount?: Handler
  readonly settlements: Handler
  readonly messages: Handler
}

export interface Rfc38HttpServerDeps extends Pick<BoundedHttpDeps, 'page'> {
  readonly routes: Rfc38Routes
  readonly logger: Logger
}

/** True for what RFC 38 takes as identifier of an account. */
export function isAccountId(value: unknown): value is string {
  return typeof value === 'string' && ACCOUNT_ID.test(value)
}

/** Either side's listener of RFC 38. */
export class Rfc38HttpServer extends BoundedHttpServer {
  /** @throws Error when it would listen to strangers without a token */
  constructor(listen: BoundedListen, { routes, ...deps }: Rfc38HttpServerDeps) {
    super(listen, { ...deps, endpoint: (method, path) => endpointOf(routes, method, path) })
  }
}

function endpointOf(routes: Rfc38Routes, method: string, path: string): Endpoint {
  const match = PATH.exec(path)
  if (match === null) throw new HttpRefusal(404, 'there is nothing at this path')
  const [, id, resource] = match
  const accountId = id === undefined ? '' : decode(id)
  const { createAccount, deleteAccount, settlements, messages } = routes
  const json = { binary: false, lengthMax: JSON_LENGTH_MAX }
  const at = (handler: Handler) => (request: HttpRequest) => handler({ accountId, ...request })
  if (resource === undefined) {
    const handler = id === undefined ? createAccount : deleteAccount
    if (handler === undefined) throw new HttpRefusal(404, 'there is nothing at this path')
    const allowed = id === undefined ? 'POST' : 'DELETE'
    if (method !== allowed) throw new HttpRefusal(405, `this path takes ${allowed}`)
    return { ...json, handle: at(handler) }
  }
  if (method !== 'POST') throw new HttpRefusal(405, 'this path takes POST')
  if (resource === 'settlements') return { ...json, handle: at(settlements) }
  return { binary: true, lengthMax: MESSAGE_LENGTH_MAX, handle: at(messages) }
}

function decode(text: string): string {
  let id: string | undefined
  try {
    id = decodeURIComponent(text)
  } catch {
    id = undefined
  }
  if (!isAccountId(id))
    throw new HttpRefusal(400, 'account ids have 1 to 128 characters of A-Z a-z 0-9 - . _ ~')
  return id
}

/** Every error code of the API: its HTTP status, and what it means. The reference page is generated from it. */
export const API_ERRORS = {
  VALIDATION_ERROR: {
    status: 400,
    meaning: 'The request is not valid; `details` names the fields. Nothing was changed.',
  },
  AUTHENTICATION_REQUIRED: {
    status: 401,
    meaning: 'No operator token was sent. Mint one with `causeway token`.',
  },
  AUTHENTICATION_FAILED: {
    status: 401,
    meaning: 'The token is malformed, expired, or signed with a key this node does not have.',
  },
  PERMISSION_DENIED: { status: 403, meaning: 'The token does not carry the scope that the route needs.' },
  RESOURCE_NOT_FOUND: {
    status: 404,
    meaning: 'No such path, peer, route, account, payment, settlement or channel.',
  },
  METHOD_NOT_ALLOWED: { status: 405, meaning: 'The path exists, the method does not; see `Allow`.' },
  CONFLICT: { status: 409, meaning: 'The request contradicts what is there, e.g. an id already in use.' },
  PAYLOAD_TOO_LARGE: { status: 413, meaning: 'The body is above 1 MiB.' },
  UNSUPPORTED_MEDIA_TYPE: { status: 415, meaning: 'Bodies are sent as `Content-Type: application/json`.' },
  RATE_LIMIT_EXCEEDED: { status: 429, meaning: 'Too many requests; try again after `Retry-After` seconds.' },
  INTERNAL_SERVER_ERROR: {
    status: 500,
    meaning: 'A fault of the node. The log holds more under the `requestId` of the reply.',
  },
  NOT_SUPPORTED: { status: 501, meaning: 'This node, as it is configured, cannot do that.' },
  SERVICE_UNAVAILABLE: {
    status: 503,
    meaning: 'Not possible at the moment, e.g. the ledger does not answer.',
  },
  OUTCOME_UNKNOWN: {
    status: 504,
    meaning: 'It was begun, and whether it was carried out is not known: look before trying again.',
  },
} as const satisfies Record<string, { status: number; meaning: string }>

export type ApiErrorCode = keyof typeof API_ERRORS

export interface ErrorDetail {
  field: string
  message: string
}

/** An error reply. The message goes to the caller: it says what happened and what to do, and holds nothing internal. */
export class ApiError extends Error {
  override readonly name = 'ApiError'
  readonly code: ApiErrorCode
  readonly details: readonly ErrorDetail[]
  /** Sent with the reply, e.g. `WWW-Authenticate`. */
  readonly headers: Readonly<Record<string, string>>

  constructor(
    code: ApiErrorCode,
    message: string,
    more: { details?: readonly ErrorDetail[]; headers?: Record<string, string> } = {},
  ) {
    super(message)
    this.code = code
    this.details = more.details ?? []
    this.headers = more.headers ?? {}
  }

  get status(): number {
    return API_ERRORS[this.code].status
  }
}

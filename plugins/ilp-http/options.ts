import { z } from 'zod'
import { LinkConfigError } from '../../src/peers/link.ts'

/** Shortest bearer token or HS256 key taken unless `allowShortTokens` is set: about 80 bits when it is random text. */
export const SECRET_LENGTH_MIN = 16
/** Callback origins of one peer. Peers have one, or two while they move. */
const CALLBACK_ORIGINS_MAX = 8
/** Keys of one peer that are valid at the same time: one, or two while they rotate; each costs a check per new token. */
const KEYS_MAX = 4

const secret = z.string().min(1).max(16_384)
const bearerToken = secret.regex(/^[\x21-\x7e]+$/, 'must be visible ASCII characters without spaces')
const algorithm = z.enum(['HS256', 'RS256', 'EdDSA'])

const httpUrl = z
  .url({ protocol: /^https?$/ })
  .max(2_048)
  .refine((url) => {
    const { username, password, hash } = new URL(url)
    return username === '' && password === '' && hash === ''
  }, 'must not hold a user name, a password or a fragment; credentials have their own fields')

const incomingBearer = z
  .strictObject({
    scheme: z.literal('bearer'),
    token: bearerToken.optional().describe('The token that the peer sends. Kept as its SHA-256 only.'),
    tokenSha256: z
      .string()
      .regex(/^[0-9a-f]{64}$/i, 'must be 64 hexadecimal digits')
      .optional()
      .describe('SHA-256 of the token, hexadecimal, instead of the token itself.'),
  })
  .refine((value) => (value.token === undefined) !== (value.tokenSha256 === undefined), {
    message: 'give either token or tokenSha256',
    path: ['token'],
  })

const incomingJwt = z
  .strictObject({
    scheme: z.literal('jwt'),
    algorithm: algorithm.describe('The only signature algorithm taken from the peer.'),
    key: secret.optional().describe('HS256: the shared secret. RS256, EdDSA: the public key, PEM (SPKI).'),
    keys: z.array(secret).min(1).max(KEYS_MAX).optional().describe('Several keys, newest first.'),
    issuer: z.string().min(1).max(256).optional().describe('Required `iss`. Default: not checked.'),
    audience: z.string().min(1).max(256).optional().describe('Required `aud`. Default: not checked.'),
    subject: z
      .string()
      .min(1)
      .max(256)
      .optional()
      .describe('Required `sub`. Default: a token may lack `sub`; if it has one, it is the account id.'),
    maxAgeSeconds: z
      .number()
      .int()
      .min(1)
      .max(86_400)
      .optional()
      .describe('Longest time since `iat`, seconds. Default: `exp` alone decides.'),
    peerName: z
      .string()
      .min(1)
      .max(256)
      .optional()
      .describe(
        'Value of ILP-Peer-Name that names this peer when the path does not. Default: the account id.',
      ),
  })
  .refine((value) => (value.key === undefined) !== (value.keys === undefined), {
    message: 'give either key or keys',
    path: ['key'],
  })

const outgoingCommon = {
  url: httpUrl.describe("Where packets are POSTed: the peer's address for us."),
  mode: z
    .enum(['sync', 'async'])
    .default('sync')
    .describe('sync: the reply is in the response. async: 202, the reply comes to our callback.'),
  callbackUrl: httpUrl
    .optional()
    .describe('async: sent as Callback-Url. Default: not sent, both sides have agreed on it.'),
  peerName: z
    .string()
    .regex(/^[\x21-\x7e]{1,256}$/, 'must be 1 to 256 visible ASCII characters')
    .optional()
    .describe('Sent as ILP-Peer-Name. Default: not sent.'),
  contentType: z
    .enum(['application/octet-stream', 'application/ilp+octet-stream'])
    .default('application/octet-stream')
    .describe('Content type of our requests.'),
  caFile: z
    .string()
    .min(1)
    .optional()
    .describe('PEM file of the authority that signed the certificate of the peer. Default: the public ones.'),
  connections: z
    .number()
    .int()
    .min(1)
    .max(1_024)
    .default(64)
    .describe('Connections to the peer, and so packets that wait for a response at once.'),
  queueMax: z
    .number()
    .int()
    .min(0)
    .max(65_536)
    .default(1_024)
    .describe('Packets that wait for a free connection; beyond it the node answers T02.'),
  connectTimeoutMs: z
    .number()
    .int()
    .min(100)
    .max(60_000)
    .default(5_000)
    .describe('Deadline of connecting, milliseconds.'),
  failuresUntilDown: z
    .number()
    .int()
    .min(1)
    .max(1_000)
    .default(5)
    .describe('Connection failures in a row after which the peer counts as disconnected.'),
  probeMinMs: z
    .number()
    .int()
    .min(10)
    .max(60_000)
    .default(500)
    .describe('First pause between probes of a disconnected peer, milliseconds; doubles each time.'),
  probeMaxMs: z
    .number()
    .int()
    .min(10)
    .max(3_600_000)
    .default(30_000)
    .describe('Longest pause between probes, milliseconds.'),
}

const outgoing = z.discriminatedUnion('scheme', [
  z.strictObject({
    scheme: z.literal('bearer'),
    token: bearerToken.describe('The token we send.'),
    ...outgoingCommon,
  }),
  z.strictObject({
    scheme: z.literal('jwt'),
    algorithm: algorithm.describe('How we sign.'),
    key: secret.describe('HS256: the shared secret. RS256, EdDSA: our private key, PEM (PKCS #8).'),
    kid: z.string().min(1).max(256).optional().describe('Key id in the header. Default: none.'),
    issuer: z.string().min(1).max(256).optional().describe('Our `iss`. Default: none.'),
    audience: z.string().min(1).max(256).optional().describe('Our `aud`. Default: none.'),
    subject: z.string().min(1).max(256).optional().describe('Our `sub`. Default: none.'),
    lifetimeSeconds: z
      .number()
      .int()
      .min(10)
      .max(86_400)
      .default(300)
      .describe('Life of each token, seconds; a new one is made in its last fifth.'),
    ...outgoingCommon,
  }),
])

/** The `link` section of a peer that uses `ilp-http`. */
export const linkOptionsSchema = z
  .strictObject({
    plugin: z.string().optional(),
    incoming: z
      .discriminatedUnion('scheme', [incomingBearer, incomingJwt])
      .optional()
      .describe('How the peer proves itself to our listener. Not set: it cannot send to us.'),
    outgoing: outgoing.optional().describe('How we reach the peer. Not set: we cannot send to it.'),
    callbackOrigins: z
      .array(httpUrl)
      .max(CALLBACK_ORIGINS_MAX)
      .default([])
      .describe('Origins that a Callback-Url of the peer may have, besides that of outgoing.url.'),
    callbackUrl: httpUrl
      .optional()
      .describe('Callback agreed with the peer: requests with a Request-Id are answered there.'),
    maxOpenRequests: z
      .number()
      .int()
      .min(1)
      .max(65_536)
      .default(10_000)
      .describe('Requests of the peer that await a reply, and ours that await a callback, each.'),
    idleTimeoutMs: z
      .number()
      .int()
      .min(1_000)
      .max(86_400_000)
      .default(300_000)
      .describe('Without outgoing: how long after its last request the peer counts as connected.'),
  })
  .refine((value) => value.incoming !== undefined || value.outgoing !== undefined, {
    message: 'give incoming, outgoing or both',
    path: ['incoming'],
  })
  .refine((value) => value.outgoing?.mode !== 'async' || value.incoming !== undefined, {
    message: 'mode async needs incoming: the callbacks of the peer must prove who they are from',
    path: ['outgoing', 'mode'],
  })
  .refine((value) => value.callbackUrl === undefined || value.outgoing !== undefined, {
    message: 'an agreed callback needs outgoing: its credentials go with each callback',
    path: ['callbackUrl'],
  })

/** The `ilp-http` section under `plugins`. */
export const pluginOptionsSchema = z.strictObject({
  listen: z
    .strictObject({ host: z.string().min(1).default('127.0.0.1'), port: z.number().int().min(0).max(65_535) })
    .optional()
    .describe('Where peers POST packets. Not set: no listener.'),
  tls: z
    .strictObject({ certFile: z.string().min(1), keyFile: z.string().min(1) })
    .optional()
    .describe('PEM files of the certificate chain and its key. Not set: plain HTTP.'),
  allowShortTokens: z
    .boolean()
    .default(false)
    .describe(`Take bearer tokens and HS256 keys below ${SECRET_LENGTH_MIN} characters.`),
  maxConnections: z
    .number()
    .int()
    .min(1)
    .max(100_000)
    .default(4_096)
    .describe('Sockets of all peers together.'),
  maxStrangers: z
    .number()
    .int()
    .min(1)
    .max(100_000)
    .default(1_024)
    .describe('Sockets on which no account was proved yet; beyond it the oldest is dropped.'),
  maxConnectionsPerPeer: z
    .number()
    .int()
    .min(1)
    .max(100_000)
    .default(512)
    .describe('Sockets of one account.'),
  headersTimeoutMs: z
    .number()
    .int()
    .min(100)
    .max(60_000)
    .default(10_000)
    .describe('Time for the head of a request.'),
  requestTimeoutMs: z
    .number()
    .int()
    .min(100)
    .max(120_000)
    .default(20_000)
    .describe('Time for a whole request, head and body, to arrive, milliseconds.'),
  keepAliveTimeoutMs: z
    .number()
    .int()
    .min(1_000)
    .max(600_000)
    .default(65_000)
    .describe('How long an idle socket is kept, milliseconds.'),
})

export type LinkOptions = z.output<typeof linkOptionsSchema>
export type PluginOptions = z.output<typeof pluginOptionsSchema>
export type IncomingOptions = NonNullable<LinkOptions['incoming']>
export type OutgoingOptions = NonNullable<LinkOptions['outgoing']>

/**
 * Checks options against a schema.
 * @throws LinkConfigError naming the first field that is wrong, and never its value, which may be a secret
 */
export function checkOptions<T>(schema: z.ZodType<T>, value: unknown): T {
  const result = schema.safeParse(value)
  if (result.success) return result.data
  const issue = result.error.issues[0]!
  if (issue.code !== 'unrecognized_keys') throw new LinkConfigError(issue.path.join('.'), issue.message)
  throw new LinkConfigError([...issue.path, issue.keys[0]].join('.'), 'is not an option here: check its name')
}

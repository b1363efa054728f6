import { resolve } from 'node:path'
import { z } from 'zod'
import { LinkConfigError } from '../../src/peers/link.ts'
import type { BtpLinkOptions } from './btp-link.ts'
import { hashToken } from './token-index.ts'

const TOKEN_LENGTH_MIN = 16
const TOKEN_LENGTH_MAX = 2_048

const milliseconds = (max: number) => z.number().int().min(10).max(max)

const pluginSchema = z.strictObject({
  listen: z
    .strictObject({
      host: z.string().default('127.0.0.1').describe('Address to bind. Loopback unless changed.'),
      port: z.number().int().min(0).max(65_535).describe('Port to bind; 0 takes any free one.'),
    })
    .optional()
    .describe('Where peers connect over BTP (WebSocket). Not set: no listener.'),
  tls: z
    .strictObject({
      certFile: z.string().min(1).describe('PEM file of the certificate and its chain.'),
      keyFile: z.string().min(1).describe('PEM file of the private key.'),
    })
    .optional()
    .describe('Serves wss:// instead of ws://.'),
  allowShortTokens: z
    .boolean()
    .default(false)
    .describe('Takes tokens below 16 characters. For development only.'),
  authDeadlineMs: milliseconds(60_000)
    .default(5_000)
    .describe('Time a socket has from its first byte to its login, milliseconds.'),
  unauthenticatedMax: z
    .number()
    .int()
    .min(1)
    .max(100_000)
    .default(1_000)
    .describe('Sockets that may be waiting for their login; above it the oldest is cut.'),
  unauthenticatedPerAddressMax: z
    .number()
    .int()
    .min(1)
    .max(100_000)
    .default(100)
    .describe('The same per remote IPv4 address or IPv6 /64.'),
  pingIntervalMs: milliseconds(600_000)
    .default(30_000)
    .describe('Time between WebSocket pings; a connection silent for two of them is cut, milliseconds.'),
  stallMsMax: milliseconds(600_000)
    .default(30_000)
    .describe('A peer that takes none of the bytes waiting for it is cut after so long, milliseconds.'),
  requestWindow: z
    .number()
    .int()
    .min(64)
    .max(65_536)
    .default(4_096)
    .describe(
      'Requests of one peer that wait for our answer, above which its connection is read slowly: under overload its packets then wait at its end instead of being rejected at ours. Raise it for peers behind which answers take long at high rates.',
    ),
})

/** The section `plugins.btp`, checked and with defaults. */
export type BtpOptions = z.output<typeof pluginSchema>

/** What the listener needs of it. */
export type ListenOptions = NonNullable<BtpOptions['listen']> &
  Pick<BtpOptions, 'unauthenticatedMax' | 'unauthenticatedPerAddressMax'> & { tls?: BtpOptions['tls'] }

/** Belongs to the node and stands in every `link` section. */
const plugin = z.string().optional()

const settlementMessages = z
  .enum(['ilp', 'sub-protocol'])
  .default('ilp')
  .describe(
    'How messages of our settlement engine go to the peer: in ILP packets to peer.settle, or as BTP messages of the sub-protocol "settlement". Both are taken from it.',
  )

const serverSchema = z.strictObject({
  plugin,
  settlementMessages,
  mode: z.literal('server'),
  token: z.string().max(TOKEN_LENGTH_MAX).optional().describe('What the peer shows to log in.'),
  tokenSha256: z
    .string()
    .regex(/^[0-9a-fA-F]{64}$/, 'is not 64 hexadecimal digits: give the SHA-256 of the token')
    .optional()
    .describe('SHA-256 of the token in hexadecimal, when the token itself is not to be stored here.'),
})

const clientSchema = z.strictObject({
  plugin,
  settlementMessages,
  mode: z.literal('client'),
  url: z.string().min(1).describe('Where the peer listens: ws://, wss://, btp+ws:// or btp+wss://.'),
  token: z.string().max(TOKEN_LENGTH_MAX).describe('What we show to log in.'),
  username: z.string().max(256).optional().describe('Sent as auth_username to peers that ask for one.'),
  caFile: z
    .string()
    .min(1)
    .optional()
    .describe('PEM file of the authority that signed the certificate of the peer.'),
  connectDeadlineMs: milliseconds(120_000)
    .default(10_000)
    .describe('Time for TCP, TLS and WebSocket handshake, milliseconds.'),
  reconnectMsMin: milliseconds(60_000).default(500).describe('First wait before a reconnect, milliseconds.'),
  reconnectMsMax: milliseconds(3_600_000)
    .default(60_000)
    .describe('Longest wait before a reconnect, milliseconds.'),
})

export interface ServerLinkOptions extends BtpLinkOptions {
  mode: 'server'
  tokenHash: Buffer
}

export interface ClientLinkOptions extends BtpLinkOptions {
  mode: 'client'
  /** ws: or wss:, without credentials. */
  url: URL
  token: string
  username: string | undefined
  caFile: string | undefined
  connectDeadlineMs: number
  reconnectMsMin: number
  reconnectMsMax: number
}

/** Throws `LinkConfigError`. Relative paths start at `baseDirectory`. */
export function parseBtpOptions(options: Record<string, unknown>, baseDirectory = '.'): BtpOptions {
  const parsed = check(pluginSchema, options)
  if (parsed.tls !== undefined && parsed.listen === undefined) {
    throw new LinkConfigError('tls', 'TLS is configured but no listener: add "listen", or take "tls" out')
  }
  if (parsed.tls === undefined) return parsed
  const certFile = resolve(baseDirectory, parsed.tls.certFile)
  const keyFile = resolve(baseDirectory, parsed.tls.keyFile)
  return { ...parsed, tls: { certFile, keyFile } }
}

/** Checks the `link` section of a peer. Throws `LinkConfigError`; no message holds a token. */
export function parseLinkOptions(
  options: Record<string, unknown>,
  {
    allowShortTokens,
    baseDirectory = '.',
  }: { allowShortTokens: boolean; baseDirectory?: string | undefined },
): ServerLinkOptions | ClientLinkOptions {
  const assertLong = (token: string) => {
    if (token.length >= TOKEN_LENGTH_MIN || allowShortTokens) return
    const fix = 'use a random one of 32 bytes, as "causeway init" makes them'
    throw new LinkConfigError('token', `the token is shorter than ${TOKEN_LENGTH_MIN} characters: ${fix}`)
  }
  if (options.mode === 'server') {
    const { settlementMessages, token, tokenSha256 } = check(serverSchema, options)
    if ((token === undefined) === (tokenSha256 === undefined)) {
      throw new LinkConfigError(
        'token',
        'give either "token" or "tokenSha256": it tells this peer from the others',
      )
    }
    if (token !== undefined) assertLong(token)
    const tokenHash = token === undefined ? Buffer.from(tokenSha256 ?? '', 'hex') : hashToken(token)
    return { mode: 'server', settlementMessages, tokenHash }
  }
  if (options.mode !== 'client') {
    throw new LinkConfigError(
      'mode',
      'must be "server" (the peer connects to us) or "client" (we connect to it)',
    )
  }
  const parsed = check(clientSchema, options)
  assertLong(parsed.token)
  if (parsed.reconnectMsMax < parsed.reconnectMsMin) {
    throw new LinkConfigError('reconnectMsMax', 'is below reconnectMsMin: make it at least as long')
  }
  const { url, username } = parseUrl(parsed.url)
  if (username !== undefined && parsed.username !== undefined) {
    throw new LinkConfigError('username', 'the URL holds a user name too: keep one of them')
  }
  return {
    ...parsed,
    url,
    username: parsed.username ?? username,
    caFile: parsed.caFile && resolve(baseDirectory, parsed.caFile),
  }
}

function parseUrl(text: string): { url: URL; username: string | undefined } {
  const plain = text.replace(/^btp\+/, '')
  if (!/^wss?:\/\//.test(plain) || !URL.canParse(plain)) {
    throw new LinkConfigError(
      'url',
      'is not a WebSocket URL: it begins with ws://, wss://, btp+ws:// or btp+wss://',
    )
  }
  const url = new URL(plain)
  if (url.password !== '') {
    throw new LinkConfigError(
      'url',
      'holds the token in the clear: take it out and give it as "token", e.g. "secret:<name>"',
    )
  }
  if (url.hash !== '')
    throw new LinkConfigError('url', 'has a fragment (#...), which WebSocket forbids: take it out')
  const username = url.username === '' ? undefined : decode(url.username)
  url.username = ''
  return { url, username }
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    throw new LinkConfigError(
      'url',
      'has a user name with a broken %-escape: write it as encodeURIComponent does',
    )
  }
}

function check<Schema extends z.ZodType>(schema: Schema, options: Record<string, unknown>): z.output<Schema> {
  const result = schema.safeParse(options)
  if (result.success) return result.data
  const issue = result.error.issues[0]!
  const path = issue.path.map(String)
  if (issue.code === 'unrecognized_keys') {
    const [key] = issue.keys
    const isTop = path.length === 0 && schema instanceof z.ZodObject
    const known = isTop ? Object.keys(schema.shape).join(', ') : ''
    const where = [...path, key].join('.')
    throw new LinkConfigError(
      where,
      `"${key}" is not an option here: take it out${known && ` (known: ${known})`}`,
    )
  }
  throw new LinkConfigError(path.join('.'), `${path.join('.')}: ${issue.message}`)
}

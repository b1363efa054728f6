import type { Hex } from 'viem'
import { z } from 'zod'
import { MessageRefusedError, PeerMessageError } from '../../../src/settlement/engine.ts'

const PROTOCOL_VERSION = 1
/** Above the longest message of the protocol. */
const MESSAGE_BYTES_MAX = 16_384
/** Channels of one payer, and so in one answer: it has one open and few that are closing. */
export const STATE_CHANNELS_MAX = 16
const UINT128_MAX = 2n ** 128n - 1n

const hex = (bytes: number) =>
  z
    .string()
    .regex(new RegExp(`^0x[0-9a-fA-F]{${2 * bytes}}$`))
    .transform((value) => value.toLowerCase() as Hex)
const address = hex(20)
const bytes32 = hex(32)
const signature = hex(65)
const amount = z
  .string()
  .regex(/^(?:0|[1-9]\d{0,38})$/)
  .transform(BigInt)
  .refine((value) => value <= UINT128_MAX)
const ilpAddress = z.string().max(1023)
const head = { v: z.literal(PROTOCOL_VERSION), id: z.string().regex(/^[A-Za-z0-9_-]{1,64}$/) }

const identity = {
  chainId: z.int().min(1),
  contract: address,
  account: address,
  signer: address,
  ilpAddress,
  peerIlpAddress: ilpAddress,
  /** Shortest close delay that the speaker accepts in channels paid to it, seconds. */
  minSettleDelay: z.int().min(0).max(0xffff_ffff),
  /** The other side's challenge, answered by `proof`. */
  challenge: bytes32,
  proof: signature,
}

const request = z.discriminatedUnion('type', [
  z.strictObject({ ...head, type: z.literal('challenge') }),
  z.strictObject({ ...head, type: z.literal('hello'), ...identity, yourChallenge: bytes32 }),
  z.strictObject({ ...head, type: z.literal('channel'), channelId: bytes32 }),
  z.strictObject({
    ...head,
    type: z.literal('claim'),
    channelId: bytes32,
    cumulative: amount,
    signature,
  }),
  z.strictObject({ ...head, type: z.literal('state') }),
  z.strictObject({ ...head, type: z.literal('requestClose'), channelId: bytes32 }),
  z.strictObject({ ...head, type: z.literal('payment'), hash: bytes32 }),
])

const answers = {
  challenge: z.strictObject({ ...head, challenge: bytes32 }),
  hello: z.strictObject({ ...head, ...identity }),
  channel: z.strictObject({ ...head, channelId: bytes32, deposited: amount, cumulative: amount }),
  claim: z.strictObject({ ...head, channelId: bytes32, cumulative: amount }),
  state: z.strictObject({
    ...head,
    channels: z
      .array(
        z.strictObject({
          channelId: bytes32,
          cumulative: amount,
          /** Of the payer, over `cumulative`; absent while that is 0. */
          signature: signature.optional(),
          /** What was credited, where that is not `cumulative`: more, and the voucher for it is lost; or less. */
          credited: amount.optional(),
        }),
      )
      .max(STATE_CHANNELS_MAX),
  }),
  requestClose: z.strictObject({ ...head, channelId: bytes32 }),
  payment: z.strictObject({ ...head, hash: bytes32, amount }),
} as const

export type PeerRequest = z.output<typeof request>
export type PeerRequestType = PeerRequest['type']
export type PeerAnswer<T extends PeerRequestType> = z.output<(typeof answers)[T]>
/** As it is written: amounts as strings. */
export type PeerBody = Record<string, unknown>

/** @throws MessageRefusedError `bad-message`, `unsupported-version` or `too-large` */
export function readRequest(message: Buffer): PeerRequest {
  if (message.length > MESSAGE_BYTES_MAX) {
    throw new MessageRefusedError('too-large', `a message has at most ${MESSAGE_BYTES_MAX} bytes`)
  }
  let value: unknown
  try {
    value = JSON.parse(message.toString('utf8'))
  } catch {
    throw new MessageRefusedError('bad-message', 'the message is no JSON')
  }
  const version = typeof value === 'object' && value !== null && 'v' in value ? value.v : undefined
  if (typeof version === 'number' && version !== PROTOCOL_VERSION) {
    throw new MessageRefusedError('unsupported-version', `this side speaks version ${PROTOCOL_VERSION}`)
  }
  const result = request.safeParse(value)
  if (result.success) return result.data
  const issue = result.error.issues[0]
  throw new MessageRefusedError('bad-message', `${issue?.path.join('.') ?? ''}: ${issue?.message ?? ''}`)
}

/** @throws PeerMessageError when the answer is not one to this request */
export function readAnswer<T extends PeerRequestType>(type: T, id: string, message: Buffer): PeerAnswer<T> {
  if (message.length > MESSAGE_BYTES_MAX) throw new PeerMessageError('the answer of the peer is too large')
  let value: unknown
  try {
    value = JSON.parse(message.toString('utf8'))
  } catch {
    throw new PeerMessageError('the answer of the peer is no JSON')
  }
  const result = answers[type].safeParse(value)
  if (!result.success || result.data.id !== id) {
    throw new PeerMessageError(`the answer of the peer to "${type}" does not fit`)
  }
  return result.data as PeerAnswer<T>
}

export function writeMessage(id: string, body: PeerBody): Buffer {
  return Buffer.from(JSON.stringify({ v: PROTOCOL_VERSION, id, ...body }))
}

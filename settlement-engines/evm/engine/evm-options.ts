import { getAddress, type Hex } from 'viem'
import { z } from 'zod'
import { EngineConfigError } from '../../../src/settlement/engine.ts'
import type { Finality } from '../finality.ts'

const DAY_S = 86_400
/** What the contract allows for a channel's delay, seconds. */
const DELAY_MIN_S = 15 * 60
const DELAY_MAX_S = 30 * DAY_S
const GWEI = 10n ** 9n

/** A private key where the name of a file belongs: no message may repeat it. */
const KEY_ITSELF = /(?:^|[\\/])(?:0x)?[0-9a-fA-F]{64}$/

const ADDRESS = 'must be an address: 0x and 40 hexadecimal digits'
const UNITS = 'must be a whole number of at most 38 digits, in quotes'
/** EIP-55: an address in mixed case carries a checksum, and a wrong digit shows. */
const CHECKSUM = 'is mistyped: its checksum (upper and lower case) is wrong. Copy it again'
const isChecksumRight = (text: string) =>
  !/^0x(?=.*[a-f])(?=.*[A-F])[0-9a-fA-F]{40}$/.test(text) || getAddress(text) === text
const address = z
  .string(ADDRESS)
  .regex(/^0x[0-9a-fA-F]{40}$/, ADDRESS)
  .refine(isChecksumRight, CHECKSUM)
  .transform((value) => value.toLowerCase() as Hex)
const units = z
  .string(UNITS)
  .regex(/^(?:0|[1-9]\d{0,37})$/, UNITS)
  .transform(BigInt)
const delay = z.int().min(DELAY_MIN_S).max(DELAY_MAX_S)
const finality: z.ZodType<Finality> = z.discriminatedUnion(
  'kind',
  [
    z.strictObject({ kind: z.literal('finalized') }),
    z.strictObject({ kind: z.literal('safe') }),
    z.strictObject({ kind: z.literal('blocks'), depth: z.int().min(0).max(10_000) }),
  ],
  'must be {kind: finalized}, {kind: safe} or {kind: blocks, depth: 0 to 10000}',
)
const keyFile = z
  .string()
  .min(1)
  .refine((path) => !KEY_ITSELF.test(path), 'must be the name of a file, not the key itself')

const asset = z.strictObject({
  token: z
    .string()
    .regex(/^(?:native|0x[0-9a-fA-F]{40})$/, 'must be "native", or an address: 0x and 40 hexadecimal digits')
    .refine(isChecksumRight, CHECKSUM)
    .transform((value) => value.toLowerCase() as Hex | 'native')
    .describe("`native` for the chain's coin, or an ERC-20's address"),
  deposit: units.describe('What a channel is opened with and topped up to. Smallest units of the token.'),
  maxDepositPerChannel: units.describe(
    'Most that may wait unspent in one channel; larger orders are refused. Smallest units.',
  ),
  totalBudget: units.describe('Most that may wait unspent in all channels of the asset. Smallest units.'),
  claimAtValue: units.describe('Vouchers worth this much are handed in at once. Smallest units.'),
})

/** An engine's section of the configuration; `name` and `directory` are set by the node. */
export const engineOptions = z.strictObject({
  name: z
    .string()
    .regex(/^[a-z][a-z0-9-]{0,30}$/, 'must be 1 to 31 of a-z, 0-9 and "-", a letter first')
    .default('evm')
    .describe('The method in metrics and journals; never to be changed.'),
  rpcUrls: z
    .array(z.url({ protocol: /^https?$/, error: 'must be an http:// or https:// URL' }))
    .min(1, 'must name at least one JSON-RPC node')
    .max(8)
    .describe('JSON-RPC nodes, in order of preference.'),
  chainId: z.int().min(1).describe('The chain that must answer there.'),
  contract: address.describe('Where SettlementChannels is deployed.'),
  finality: finality
    .default({ kind: 'finalized' })
    .describe(
      'When good news counts: {kind: finalized}, {kind: safe}, or {kind: blocks, depth: <blocks on top>}.',
    ),
  keys: z
    .strictObject({
      fundingKeyFile: keyFile.describe('Key that holds the money and sends transactions.'),
      claimKeyFile: keyFile.describe('Key that signs vouchers and can move nothing else.'),
      passwordFile: z
        .string()
        .min(1)
        .optional()
        .describe('Password of both files when they are keystores; without it they hold bare keys.'),
    })
    .describe('Files of mode 0600, from `causeway evm key create`.'),
  directory: z.string().min(1).describe("Where the engine's books are."),
  assets: z.record(z.string().min(1).max(32), asset).describe('By asset code.'),
  settleDelaySeconds: delay.default(2 * DAY_S).describe('Of channels that this side opens.'),
  minSettleDelaySeconds: delay.default(DAY_S).describe('Channels of peers with less are not accepted.'),
  claimAgeMs: z
    .int()
    .min(0)
    .default(DAY_S * 1000)
    .describe('Vouchers this old are handed in.'),
  closingWindowShare: z
    .number()
    .gt(0)
    .max(1)
    .default(0.25)
    .describe("Part of a closing window in which the claim's fees rise to their limit."),
  maxFeePerGas: units.prefault(String(500n * GWEI)).describe('Wei per gas; never exceeded.'),
  feeBudget: units
    .prefault(String(20_000_000n * GWEI))
    .describe('Wei for the fees of one transaction; of claims handed in together, for each.'),
  urgentFeeBudget: units
    .prefault(String(200_000_000n * GWEI))
    .describe('Wei for the fees of a claim in a closing channel.'),
  acceptTransfers: z
    .boolean()
    .default(false)
    .describe(
      'Credit plain transfers to the own address: of all configured tokens, and of the native coin when the peer tells the transaction.',
    ),
  fromBlock: z
    .int()
    .min(0)
    .optional()
    .describe('First block whose transfers count. Default: the final block at the first start.'),
  pollMs: z.int().min(0).default(4_000).describe('Between rounds; 0: `tick` is called from outside.'),
})

/** `settlement.options` of a peer. */
export const accountOptions = z.strictObject({
  mode: z
    .enum(['channel', 'transfer'])
    .default('channel')
    .describe('`channel`: vouchers in a payment channel; `transfer`: a transaction per settlement.'),
  peerAddress: address
    .optional()
    .describe('Pins the address of the peer; required for `transfer`. Without it, the first one counts.'),
})

export type EvmEngineOptions = z.input<typeof engineOptions>
export type EvmSettings = z.output<typeof engineOptions>
export type EvmAsset = z.output<typeof asset>
export type EvmAccountSettings = z.output<typeof accountOptions>

/** What is wrong with an option. Neither part repeats what was given: it may be a secret. */
export interface EvmOptionProblem {
  /** In the options, e.g. `assets.USD.deposit`; empty for all of them. */
  readonly path: string
  readonly message: string
}

/**
 * All problems of an engine's section of the configuration, as far as they show without files and network. `type` is not
 * looked at; `name` and `directory`, which the node sets, may be missing.
 */
export function checkEvmOptions(section: Record<string, unknown>): EvmOptionProblem[] {
  const { type: _, ...options } = section
  const result = engineOptions.safeParse({ directory: '.', ...options })
  return result.success ? contradictions(result.data) : problemsOf(result.error)
}

/** All problems of an account's `settlement.options`, as far as they show without files and network. */
export function checkEvmAccountOptions(options: Record<string, unknown>): EvmOptionProblem[] {
  const result = accountOptions.safeParse(options)
  return result.success ? accountContradictions(result.data) : problemsOf(result.error)
}

/** @throws EngineConfigError naming the first wrong option */
export function parseEngineOptions(options: EvmEngineOptions): EvmSettings {
  return parse(engineOptions, options, contradictions)
}

/** @throws EngineConfigError naming the first wrong option */
export function parseAccountOptions(options: Record<string, unknown>): EvmAccountSettings {
  return parse(accountOptions, options, accountContradictions)
}

function contradictions({ assets }: EvmSettings): EvmOptionProblem[] {
  const problems: EvmOptionProblem[] = []
  const codes = new Map<string, string>()
  for (const [code, { deposit, maxDepositPerChannel, token, totalBudget }] of Object.entries(assets)) {
    const path = `assets.${code}`
    if (deposit === 0n || deposit > maxDepositPerChannel || maxDepositPerChannel > totalBudget) {
      problems.push({
        path,
        message: `the amounts of ${code} contradict each other: deposit must be above 0 and at most maxDepositPerChannel, and that at most totalBudget`,
      })
    }
    const other = codes.get(token)
    if (other !== undefined) {
      problems.push({
        path: `${path}.token`,
        message: `the token is that of ${other} already: name it under one code`,
      })
    }
    codes.set(token, code)
  }
  return problems
}

function accountContradictions({ mode, peerAddress }: EvmAccountSettings): EvmOptionProblem[] {
  if (mode !== 'transfer' || peerAddress !== undefined) return []
  return [{ path: 'peerAddress', message: 'mode "transfer" needs peerAddress: where the peer is paid' }]
}

function parse<T extends z.ZodType>(
  schema: T,
  value: unknown,
  check: (settings: z.output<T>) => EvmOptionProblem[],
): z.output<T> {
  const result = schema.safeParse(value)
  const first = (result.success ? check(result.data) : problemsOf(result.error))[0]
  if (first !== undefined) {
    throw new EngineConfigError(first.path, `${first.path || 'options'}: ${first.message}`)
  }
  return result.data!
}

function problemsOf({ issues }: z.ZodError): EvmOptionProblem[] {
  return issues.map(({ message, path }) => ({
    path: path.join('.'),
    message: /received undefined$/.test(message) ? 'is missing' : message,
  }))
}

import type { Hex } from 'viem'
import { z } from 'zod'
import { EngineConfigError } from '../../../src/settlement/engine.ts'
import type { Finality } from '../finality.ts'

const DAY_S = 86_400
/** What the contract allows for a channel's delay, seconds. */
const DELAY_MIN_S = 15 * 60
const DELAY_MAX_S = 30 * DAY_S
const GWEI = 10n ** 9n

const address = z
  .string()
  .regex(/^0x[0-9a-fA-F]{40}$/, 'must be an address: 0x and 40 hexadecimal digits')
  .transform((value) => value.toLowerCase() as Hex)
const units = z
  .string()
  .regex(/^(?:0|[1-9]\d{0,37})$/, 'must be a whole number in a string')
  .transform(BigInt)
const delay = z.int().min(DELAY_MIN_S).max(DELAY_MAX_S)
const finality: z.ZodType<Finality> = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('finalized') }),
  z.strictObject({ kind: z.literal('safe') }),
  z.strictObject({ kind: z.literal('blocks'), depth: z.int().min(0).max(10_000) }),
])

const asset = z.strictObject({
  token: z
    .union([z.literal('native'), address])
    .describe("`native` for the chain's coin, or an ERC-20's address"),
  deposit: units.describe('What a channel is opened with and topped up to. Smallest units of the token.'),
  maxDepositPerChannel: units.describe(
    'Most that may wait unspent in one channel; larger orders are refused. Smallest units.',
  ),
  totalBudget: units.describe('Most that may wait unspent in all channels of the asset. Smallest units.'),
  claimAtValue: units.describe('Vouchers worth this much are handed in at once. Smallest units.'),
})

const engineOptions = z.strictObject({
  name: z
    .string()
    .regex(/^[a-z][a-z0-9-]{0,30}$/)
    .default('evm')
    .describe('The method in metrics and journals; never to be changed.'),
  rpcUrls: z.array(z.url()).min(1).max(8).describe('JSON-RPC nodes, in order of preference.'),
  chainId: z.int().min(1).describe('The chain that must answer there.'),
  contract: address.describe('Where SettlementChannels is deployed.'),
  finality: finality.default({ kind: 'finalized' }).describe('When good news counts.'),
  keys: z.strictObject({
    fundingKeyFile: z.string().min(1).describe('Key that holds the money and sends transactions.'),
    claimKeyFile: z.string().min(1).describe('Key that signs vouchers and can move nothing else.'),
    passwordFile: z
      .string()
      .min(1)
      .optional()
      .describe('Password of both files when they are keystores; without it they hold bare keys.'),
  }),
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
  maxFeePerGas: units.default(500n * GWEI).describe('Wei per gas; never exceeded.'),
  feeBudget: units.default(20_000_000n * GWEI).describe('Wei for the fees of one transaction.'),
  urgentFeeBudget: units
    .default(200_000_000n * GWEI)
    .describe('Wei for the fees of a claim in a closing channel.'),
  acceptTransfers: z
    .boolean()
    .default(false)
    .describe('Credit plain ERC-20 transfers to the own address, of all configured tokens.'),
  fromBlock: z
    .int()
    .min(0)
    .optional()
    .describe('First block whose transfers count. Default: the final block at the first start.'),
  pollMs: z.int().min(0).default(4_000).describe('Between rounds; 0: `tick` is called from outside.'),
})

const accountOptions = z.strictObject({
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

/** @throws EngineConfigError naming the first wrong option */
export function parseEngineOptions(options: EvmEngineOptions): EvmSettings {
  const settings = parse(engineOptions, options)
  for (const [code, { deposit, maxDepositPerChannel, totalBudget }] of Object.entries(settings.assets)) {
    if (deposit === 0n || deposit > maxDepositPerChannel || maxDepositPerChannel > totalBudget) {
      throw new EngineConfigError(
        `assets.${code}`,
        `the amounts of ${code} contradict each other: deposit must be above 0 and at most maxDepositPerChannel, and that at most totalBudget`,
      )
    }
  }
  return settings
}

/** @throws EngineConfigError naming the first wrong option */
export function parseAccountOptions(options: Record<string, unknown>): EvmAccountSettings {
  const settings = parse(accountOptions, options)
  if (settings.mode === 'transfer' && settings.peerAddress === undefined) {
    throw new EngineConfigError('peerAddress', 'mode "transfer" needs peerAddress: where the peer is paid')
  }
  return settings
}

function parse<T extends z.ZodType>(schema: T, value: unknown): z.output<T> {
  const result = schema.safeParse(value)
  if (result.success) return result.data
  const issue = result.error.issues[0]
  const path = issue?.path.join('.') ?? ''
  throw new EngineConfigError(path, `${path || 'options'}: ${issue?.message ?? 'do not fit'}`)
}

import { z } from 'zod'

/**
 * The whole configuration in one schema. Every field has a description and a default or is required; unknown keys
 * are errors. The sample file, the JSON Schema and the reference page are generated from it.
 */

const identifier = z.string().regex(/^[A-Za-z0-9_~-]{1,64}$/, 'use 1 to 64 letters, digits, "_", "~" or "-"')

const unitAmount = z
  .string()
  .regex(/^(0|[1-9]\d{0,37})$/, 'write a whole number of smallest units as a string, e.g. "1000000"')

export const ilpAddress = z
  .string()
  .max(1023)
  .regex(
    /^(g|private|example|peer|self|test[1-3]?|local)(\.[A-Za-z0-9_~-]+)+$/,
    'not an ILP address: it starts with g, private, example, test, test1-3 or local and has at least one more segment',
  )

const ilpPrefix = z
  .string()
  .max(1023)
  .regex(/^$|^(g|private|example|self|test[1-3]?|local)(\.[A-Za-z0-9_~-]+)*$/, 'not an ILP address prefix')

/** `secret:<name>` of the secrets file, `env:<NAME>`, or `file:<path>`. Never the secret itself. */
export const secretReference = z
  .string()
  .regex(
    /^(secret:[A-Za-z0-9_.-]{1,64}|env:[A-Za-z_][A-Za-z0-9_]{0,127}|file:.{1,1024})$/,
    'a secret is given as "secret:<name>" (secrets file), "env:<NAME>" or "file:<path>", never in the clear',
  )

export const port = z.number().int().min(0).max(65535)

export const asset = z.strictObject({
  code: z
    .string()
    .regex(/^[A-Za-z0-9._-]{1,32}$/)
    .describe('Asset code, e.g. USD or XRP.'),
  scale: z.number().int().min(0).max(255).describe("Decimal places of the account's smallest unit."),
})

const limits = z.strictObject({
  maxPacketAmount: unitAmount
    .optional()
    .describe('Largest amount of one packet; larger ones get F08. Default: no limit.'),
  packetsPerSecond: z
    .number()
    .int()
    .min(1)
    .max(10_000_000)
    .default(100_000)
    .describe('Sustained packets per second taken from the peer; above it T05.'),
  packetBurst: z
    .number()
    .int()
    .min(1)
    .max(10_000_000)
    .default(10_000)
    .describe('Packets that may come at once before the rate counts.'),
  incomingAmountPerSecond: unitAmount
    .optional()
    .describe('Value per second taken from the peer; above it T04. Default: no limit.'),
  outgoingAmountPerSecond: unitAmount
    .optional()
    .describe('Value per second sent to the peer; above it T04. Default: no limit.'),
  packetsInFlight: z
    .number()
    .int()
    .min(1)
    .max(60_000)
    .default(10_000)
    .describe('Packets from the peer awaiting an answer; above it T03.'),
  amountInFlight: unitAmount
    .optional()
    .describe('Value from the peer awaiting an answer; above it T04. Default: no limit but credit.'),
  minMessageWindowMs: z
    .number()
    .int()
    .min(1)
    .max(60_000)
    .default(1_000)
    .describe('Milliseconds taken off the expiry of each packet towards this peer.'),
  maxHoldTimeMs: z
    .number()
    .int()
    .min(100)
    .max(300_000)
    .default(30_000)
    .describe('Longest time a packet towards this peer is held, milliseconds.'),
})

const settlementTerms = z.strictObject({
  engine: identifier.describe('Which engine of settlement.engines pays.'),
  threshold: unitAmount.describe('When we owe the peer this much, it is settled. Above 0.'),
  settleTo: unitAmount.default('0').describe('How much we still owe after a settlement; below threshold.'),
  intervalMs: z
    .number()
    .int()
    .min(1_000)
    .max(31_622_400_000)
    .optional()
    .describe('Settle what is above settleTo this often as well, milliseconds. Default: by threshold alone.'),
  minAmount: unitAmount.default('0').describe('Nothing smaller is settled.'),
  maxAmount: unitAmount.optional().describe('Larger amounts are split. Default: no limit.'),
  paused: z.boolean().default(false).describe('Plan and hand over no settlements.'),
  options: z.looseObject({}).prefault({}).describe('What the engine needs to know of the peer.'),
})

export const peerSchema = z.strictObject({
  id: identifier.describe('Name of the account; appears in metrics, logs and the admin API.'),
  relation: z
    .enum(['parent', 'peer', 'child'])
    .describe('parent gives us our address, child gets one from us.'),
  asset: asset.describe('What the account is denominated in.'),
  link: z
    .looseObject({
      plugin: z.string().min(1).max(1024).describe('btp, ilp-http, legacy, an npm package name or a path.'),
    })
    .describe('How packets travel; further keys belong to the plugin.'),
  creditLimit: unitAmount
    .default('0')
    .describe('How much the peer may owe us: its balance may go this far below zero.'),
  payableLimit: unitAmount
    .optional()
    .describe('The most we may owe the peer; above it T04. Default: no limit.'),
  spread: z
    .string()
    .regex(/^0(\.\d{1,9})?$/, 'a decimal fraction below 1, as a string, e.g. "0.002"')
    .default('0')
    .describe('Fraction of the value of packets from this peer that we keep.'),
  limits: limits.prefault({}).describe('What the peer may ask of us. Changes take effect at once.'),
  routes: z.array(ilpPrefix).max(100_000).default([]).describe('Address prefixes that lie behind the peer.'),
  addressSegment: identifier.optional().describe('Last segment of a child address. Default: its id.'),
  allowReflection: z
    .boolean()
    .default(false)
    .describe('Whether a packet from the peer may be routed back to it.'),
  settlement: settlementTerms
    .optional()
    .describe('How what we owe the peer is paid. Not set: never, and messages of its engine are refused.'),
})

const listen = z.strictObject({
  host: z.string().default('127.0.0.1').describe('Address to bind. Loopback unless changed.'),
  port: port.describe('TCP port; 0 takes any free one.'),
})

const plugins = z
  .object({
    btp: z
      .looseObject({
        listen: listen.optional().describe('Where peers connect over BTP (WebSocket). Not set: no listener.'),
      })
      .prefault({})
      .describe('Peers over BTP 2.0 (RFC 23).'),
    'ilp-http': z
      .looseObject({ listen: listen.optional().describe('Where peers POST packets. Not set: no listener.') })
      .prefault({})
      .describe('Peers over ILP-over-HTTP (RFC 35).'),
  })
  .catchall(z.looseObject({}))
  .describe('One section per plugin; further keys belong to the plugin.')

const tigerbeetle = z.strictObject({
  clusterId: unitAmount.default('0').describe('Cluster id the data files were formatted with.'),
  addresses: z
    .array(z.string().min(1))
    .min(1)
    .max(6)
    .describe('host:port of each replica, in replica order.'),
  timeoutMs: z
    .number()
    .int()
    .min(100)
    .max(60_000)
    .default(5_000)
    .describe('Deadline of one call, milliseconds.'),
  namespace: identifier
    .optional()
    .describe(
      'Keeps the accounts of several nodes apart in one cluster. Processes in shared mode use the same one. Default: one node per cluster.',
    ),
})

const ledger = z.strictObject({
  backend: z
    .enum(['sqlite', 'tigerbeetle'])
    .default('sqlite')
    .describe('sqlite is embedded and needs no set-up.'),
  mode: z
    .enum(['exclusive', 'shared'])
    .default('exclusive')
    .describe('shared: several processes write the same accounts (tigerbeetle only).'),
  relay: z
    .enum(['after-commit', 'immediately'])
    .default('after-commit')
    .describe(
      'When a FULFILL goes back: after it is durably booked, or at once (a crash may then lose the last batch).',
    ),
  packetDetailDays: z
    .number()
    .int()
    .min(0)
    .max(36_500)
    .default(30)
    .describe('How long the sqlite ledger keeps one record per packet; the sums stay for good.'),
  tigerbeetle: tigerbeetle.optional().describe('The cluster; needed when the backend is tigerbeetle.'),
})

const rates = z.discriminatedUnion('provider', [
  z.strictObject({
    provider: z.literal('fixed').describe('Prices written here.'),
    base: z.string().min(1).max(32).default('USD').describe('Asset the prices are in.'),
    prices: z
      .record(
        z.string(),
        z.string().regex(/^\d{1,20}(\.\d{1,18})?$/, 'a positive decimal number as a string'),
      )
      .default({})
      .describe('Price of one whole unit of each asset in the base asset.'),
  }),
  z.strictObject({
    provider: z.literal('http').describe('Prices fetched from a feed.'),
    base: z.string().min(1).max(32).default('USD').describe('Asset the prices are in.'),
    url: z.url().describe('Answers { "base": "USD", "rates": { "XRP": "0.52", … } }.'),
    intervalMs: z
      .number()
      .int()
      .min(1_000)
      .max(86_400_000)
      .default(60_000)
      .describe('Time between fetches, milliseconds.'),
    timeoutMs: z
      .number()
      .int()
      .min(100)
      .max(60_000)
      .default(5_000)
      .describe('Deadline of one fetch, milliseconds.'),
    maxAgeMs: z
      .number()
      .int()
      .min(1_000)
      .max(604_800_000)
      .default(300_000)
      .describe('Age after which a rate is stale and packets that need it get T00, milliseconds.'),
  }),
])

/** Sections of engines by name, without the engine's own keys. */
export const engineSections = z.record(
  z.string().regex(/^[a-z][a-z0-9-]{0,30}$/, 'use 1 to 31 of a-z, 0-9 and "-", a letter first'),
  z.looseObject({
    type: z
      .enum(['evm', 'rfc38'])
      .describe('evm: an EVM chain, in this process. rfc38: a foreign engine over HTTP.'),
  }),
)

const settlement = z.strictObject({
  engines: engineSections
    .default({})
    .describe(
      'Settlement engines by name; further keys belong to the type. A name stands in books and metrics for good.',
    ),
  retiredEngines: z
    .array(identifier)
    .max(64)
    .default([])
    .describe(
      'Engines that have settled and are gone for good. Without it a new engine beside a missing one is taken for a renamed one.',
    ),
  reconcileIntervalMs: z
    .number()
    .int()
    .min(10_000)
    .max(86_400_000)
    .default(600_000)
    .describe('Time between two checks that ledger, journal and engines agree, milliseconds.'),
})

const localAccount = z.strictObject({
  id: identifier.describe('Name of the account, and of its payment pointer.'),
  asset: asset.describe('What the account is denominated in.'),
  creditLimit: unitAmount.default('0').describe('How much it may send beyond what it has received.'),
})

export const logging = z.strictObject({
  level: z
    .enum(['error', 'warn', 'info', 'debug'])
    .default('info')
    .describe('What is logged; LOG_LEVEL overrides it, and the admin API changes it while the node runs.'),
  format: z.enum(['json', 'text']).default('json').describe('One JSON object per line, or text for people.'),
})

export const configSchema = z.strictObject({
  node: z
    .strictObject({
      id: identifier.default('connector').describe('Name of this node in health replies, metrics and logs.'),
      environment: z
        .enum(['development', 'test', 'production'])
        .default('production')
        .describe('production refuses test addresses and development conveniences.'),
      ilpAddress: ilpAddress.optional().describe('Our ILP address. Not set: asked from the parent (ILDCP).'),
      dataDirectory: z
        .string()
        .default('./data')
        .describe(
          'Ledger, application data and generated secrets. Relative paths start at the configuration file.',
        ),
      secretsFile: z
        .string()
        .optional()
        .describe('YAML file of named secrets, mode 0600. Default: secrets.yaml in the data directory.'),
      packetsInFlight: z
        .number()
        .int()
        .min(1)
        .max(65_536)
        .default(65_536)
        .describe('Packets in flight over all peers; above it T03.'),
    })
    .prefault({})
    .describe('This node.'),
  plugins: plugins.prefault({}),
  peers: z
    .array(peerSchema)
    .max(100_000)
    .default([])
    .describe('Who we exchange packets with. More can be added at run time.'),
  routes: z
    .array(
      z.strictObject({
        prefix: ilpPrefix.describe('Address prefix; "" is the default route.'),
        peer: identifier.describe('Id of the peer it goes to.'),
      }),
    )
    .max(1_000_000)
    .default([])
    .describe('Static routes; the empty prefix is the default route.'),
  rates: rates
    .prefault({ provider: 'fixed' })
    .describe(
      'Where exchange rates come from. Without a rate, packets between two assets are refused with T00.',
    ),
  ledger: ledger.prefault({}).describe('Where the balances are kept.'),
  settlement: settlement.prefault({}).describe('How balances are settled outside ILP.'),
  accounts: z
    .array(localAccount)
    .max(10_000)
    .default([])
    .describe('Accounts of this node itself, with payment pointers.'),
  spsp: z
    .strictObject({
      listen: listen.optional().describe('Where payment pointers answer (SPSP). Not set: not served.'),
      publicUrl: z.url().optional().describe('How the world reaches it, e.g. https://pay.example.com.'),
    })
    .prefault({})
    .describe('Payment pointers of the accounts of this node.'),
  admin: z
    .strictObject({
      host: z.string().default('127.0.0.1').describe('Address of health, metrics and admin API.'),
      port: port.default(8080).describe('Its port; HEALTH_CHECK_PORT overrides it.'),
      keys: z
        .array(secretReference)
        .max(8)
        .default([])
        .describe(
          'Keys that sign operator tokens, newest first. Default: the secret "admin-key", generated when it is not there.',
        ),
      trustProxy: z
        .boolean()
        .default(false)
        .describe('Take the client address for rate limits from X-Forwarded-For.'),
    })
    .prefault({})
    .describe('Health, metrics and the admin API.'),
  logging: logging.prefault({}).describe('The log, on standard output.'),
})

/** The configuration, checked and with defaults. */
export type Config = z.output<typeof configSchema>
export type PeerConfig = z.output<typeof peerSchema>

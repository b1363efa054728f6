/** What ilp-connector takes as "no limit" that is still a number. Units. */
const UNLIMITED = '1000000000000000000'
/** Its smallest: a packet must outlive the hop by twice this. Milliseconds. */
const MESSAGE_WINDOW_MS = 1
/** Beyond any load. Its bucket counts up to `capacity`. */
const RATE_LIMIT = { refillPeriod: 1_000, refillCount: 100_000_000, capacity: 100_000_000 }
/**
 * It remembers every packet until so long after its expiry, by default half a minute: the shortest keeps its memory
 * and the work of its garbage collector smallest. Milliseconds.
 */
const DEDUPLICATE = { cleanupInterval: 1_000, packetLifetime: 1 }
/** How long it waits for its accounts before it goes on without them. Milliseconds. */
const CONNECT_TIMEOUT_MS = 60_000

/** One account that a peer dials over BTP. */
export interface IlpConnectorAccount {
  id: string
  port: number
  token: string
}

/**
 * Environment of an `ilp-connector` 23 without spread, with its limits lifted but checked, and balances in memory, which
 * is all it has. Its admin API is off, `debug` output too: warnings and errors it always writes.
 */
export function ilpConnectorSettings(
  ilpAddress: string,
  accounts: readonly IlpConnectorAccount[],
): Record<string, string> {
  return {
    CONNECTOR_ENV: 'production',
    CONNECTOR_ILP_ADDRESS: ilpAddress,
    CONNECTOR_ACCOUNTS: JSON.stringify(Object.fromEntries(accounts.map((each) => [each.id, settings(each)]))),
    CONNECTOR_BACKEND: 'one-to-one',
    CONNECTOR_SPREAD: '0',
    CONNECTOR_STORE: 'memory',
    CONNECTOR_MIN_MESSAGE_WINDOW: String(MESSAGE_WINDOW_MS),
    CONNECTOR_INITIAL_CONNECT_TIMEOUT: String(CONNECT_TIMEOUT_MS),
    CONNECTOR_ADMIN_API: 'false',
  }
}

function settings({ port, token }: IlpConnectorAccount): Record<string, unknown> {
  return {
    relation: 'child',
    assetCode: 'USD',
    assetScale: 9,
    plugin: 'ilp-plugin-btp',
    options: {
      listener: { secret: token, wsOpts: { host: '127.0.0.1', port, perMessageDeflate: false } },
    },
    balance: { minimum: `-${UNLIMITED}`, maximum: UNLIMITED },
    maxPacketAmount: UNLIMITED,
    rateLimit: RATE_LIMIT,
    deduplicate: DEDUPLICATE,
  }
}

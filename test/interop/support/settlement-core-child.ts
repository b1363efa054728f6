import { createRequire } from 'node:module'
import process from 'node:process'

/**
 * Two engines made with npm ilp-settlement-core, one for each of two peers, on one ledger in memory that counts in
 * millionths: `<module> <port a> <connector of a> <port b> <connector of b>`. Engine a knows its peer as `bob`, engine b
 * as `alice`. They exchange addresses by messages before the first payment. Their stores are the package's own ones in
 * memory. On SIGTERM: one line of JSON with what the ledger moved.
 */
const [, , modulePath = '', portA = '', connectorA = '', portB = '', connectorB = ''] = process.argv

/** What is used of the package; its amounts come from bignumber.js. */
interface Amount {
  decimalPlaces(places: number, rounding: number): Amount
  shiftedBy(places: number): Amount
  toFixed(places: number): string
}
interface Services {
  sendMessage(accountId: string, message: unknown): Promise<unknown>
  creditSettlement(accountId: string, amount: Amount): void
}
interface SettlementCore {
  startServer(
    createEngine: (services: Services) => Promise<object>,
    store: unknown,
    config: { port: number; connectorUrl: string },
  ): Promise<{ shutdown(): Promise<void> }>
  createMemoryStore(): unknown
}
interface Side {
  readonly address: string
  /** What the peer's engine said. */
  peerAddress: string | undefined
  services: Services | undefined
}

const ROUND_DOWN = 1
const LEDGER_SCALE = 6
const core = createRequire(import.meta.url)(modulePath) as SettlementCore
const sides: Record<'a' | 'b', Side> = {
  a: { address: 'ledger-a', peerAddress: undefined, services: undefined },
  b: { address: 'ledger-b', peerAddress: undefined, services: undefined },
}
let moved = 0n
let payments = 0

async function start(own: Side, peer: Side, peerAccount: string, config: object): Promise<void> {
  const createEngine = async (services: Services): Promise<object> => {
    own.services = services
    return {
      setupAccount: async (accountId: string) => {
        const answer = (await services.sendMessage(accountId, { address: own.address })) as {
          address: string
        }
        own.peerAddress = answer.address
      },
      handleMessage: async (_accountId: string, message: { address: string }) => {
        own.peerAddress = message.address
        return { address: own.address }
      },
      settle: async (_accountId: string, amount: Amount): Promise<Amount> => {
        if (own.peerAddress !== peer.address) throw new Error('nobody to pay')
        const paid = amount.decimalPlaces(LEDGER_SCALE, ROUND_DOWN)
        const units = BigInt(paid.shiftedBy(LEDGER_SCALE).toFixed(0))
        if (units > 0n) {
          moved += units
          payments++
          peer.services?.creditSettlement(peerAccount, paid)
        }
        return paid
      },
    }
  }
  await core.startServer(
    createEngine,
    core.createMemoryStore(),
    config as { port: number; connectorUrl: string },
  )
}

const configA = { port: Number(portA), connectorUrl: connectorA }
const configB = { port: Number(portB), connectorUrl: connectorB }
await start(sides.a, sides.b, 'alice', configA)
await start(sides.b, sides.a, 'bob', configB)
process.on('SIGTERM', () => {
  process.stdout.write(`${JSON.stringify({ moved: moved.toString(), payments })}\n`, () => process.exit(0))
})

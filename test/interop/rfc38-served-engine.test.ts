import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { privateKeyToAddress } from 'viem/accounts'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { SeededRandom } from '../compliance/seeded-random.ts'
import { ANVIL_KEYS } from '../support/anvil.ts'
import { waitFor } from '../support/wait-for.ts'
import { EngineChain, ETHER, RICH } from '../unit/evm-engine/engine-pair.ts'
import { ConnectorDouble } from '../unit/rfc38/support/connector-double.ts'
import { FlakyProxy } from '../unit/rfc38/support/flaky-proxy.ts'
import type { CUT, DoubleReply, DoubleRequest } from '../unit/rfc38/support/http-double.ts'
import { EngineProcess } from './support/engine-process.ts'

const SETTLEMENTS = 60
/** Kills of each process, while money moves. */
const KILLS = 3
const DEADLINE_MS = 120_000
/** More than one order of the payer's engine may be for, in units of the token. */
const ORDER_MAX = 2_000_000_000n
/** Scales: of amounts that are asked for, of the token, of the connectors' books. */
const ASKED_SCALE_MAX = 9
const TOKEN_SCALE = 6
const BOOKS_SCALE = 9

interface Status {
  ordersToGive: number
  creditsToTell: number
  accounts: { id: string; settled: Amount; open: Amount; credited: Amount; pending: Amount }[]
}
interface Amount {
  amount: string
  scale: number
}
interface Channel {
  id: string
  direction: string
  claimed: string
  unclaimed: string
}

/** A foreign connector with its engine behind a network that loses, repeats and reorders, both ways. */
class Side {
  readonly engine = new EngineProcess('evm')
  readonly connector = new ConnectorDouble(BOOKS_SCALE)
  readonly address: `0x${string}`
  /** Of the account that stands for the other side. */
  readonly account: string
  isCalm = false
  readonly toEngine: FlakyProxy
  readonly toConnector: FlakyProxy
  readonly #index: number

  constructor(index: number, account: string, random: SeededRandom) {
    this.#index = index
    this.account = account
    this.address = privateKeyToAddress(ANVIL_KEYS[index]!)
    // Most messages between the engines pass: each that is lost makes them wait longer.
    const spared = ({ path }: DoubleRequest) =>
      this.isCalm || (path.endsWith('/messages') && random.below(4) > 0)
    this.toEngine = new FlakyProxy(() => this.engine.url, random, spared)
    this.toConnector = new FlakyProxy(() => this.connector.url, random, spared)
  }

  async start(chain: EngineChain): Promise<void> {
    await Promise.all([this.connector.start(), this.toEngine.start(), this.toConnector.start()])
    const { directory } = this.engine
    writeFileSync(join(directory, 'funding'), ANVIL_KEYS[this.#index]!, { mode: 0o600 })
    writeFileSync(join(directory, 'claim'), `0x${`${this.#index}`.repeat(64)}`, { mode: 0o600 })
    const section = {
      type: 'evm',
      rpcUrls: [chain.anvil.url],
      chainId: chain.anvil.chainId,
      contract: chain.contract,
      keys: { fundingKeyFile: 'funding', claimKeyFile: 'claim' },
      assets: {
        USD: {
          token: chain.token,
          deposit: '200000000',
          maxDepositPerChannel: String(ORDER_MAX),
          totalBudget: '100000000000',
          claimAtValue: '100000000000',
        },
      },
      settleDelaySeconds: 7_200,
      minSettleDelaySeconds: 3_600,
      acceptTransfers: true,
      pollMs: 100,
    }
    await this.engine.configure(section, {
      connector: { url: this.toConnector.url },
      accountDefaults: { asset: { code: 'USD', scale: BOOKS_SCALE }, ownAddress: `test.${this.#index}` },
    })
    await this.engine.start()
  }

  /** Messages of the own engine go to that of the other side, as connectors carry them. */
  relayTo(other: Side): void {
    this.connector.before = (request) => {
      if (!request.path.endsWith('/messages')) return undefined
      return carry(`${other.engine.url}/accounts/${other.account}/messages`, request, other.engine.token)
    }
  }

  async setUpAccount(): Promise<number> {
    const response = await fetch(`${this.engine.url}/accounts`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: `Bearer ${this.engine.token}` },
      body: JSON.stringify({ id: this.account }),
    })
    return response.status
  }

  async stop(): Promise<void> {
    await this.engine.destroy()
    await Promise.all([this.toEngine.stop(), this.toConnector.stop()])
    await this.connector.stop()
  }
}

async function carry(url: string, { body }: DoubleRequest, token: string): Promise<DoubleReply | typeof CUT> {
  try {
    const response = await fetch(url, {
      method: 'POST',
      headers: { 'content-type': 'application/octet-stream', authorization: `Bearer ${token}` },
      body: new Uint8Array(body),
    })
    return { status: response.status, body: Buffer.from(await response.arrayBuffer()) }
  } catch {
    return { status: 502 }
  }
}

describe('causeway engine evm, for foreign connectors', { timeout: 3 * DEADLINE_MS }, () => {
  const random = new SeededRandom(Number(process.env.RFC38_SEED ?? Date.now() & 0xffffffff))
  let chain: EngineChain
  let payer: Side
  let payee: Side

  beforeAll(async () => {
    console.log(`rfc38 seed ${random.seed}`)
    chain = await EngineChain.start()
    payer = new Side(1, 'bob', random)
    payee = new Side(2, 'alice', random)
    await chain.mint(payer.address, 10n ** 12n)
    await chain.anvil.setBalance(payer.address, 100n * ETHER)
    await chain.anvil.setBalance(payee.address, 100n * ETHER)
    await chain.anvil.mine()
    // A block every second: what is final grows by itself, as on a real chain.
    await chain.anvil.rpc('evm_setIntervalMining', 1)
    await payer.start(chain)
    await payee.start(chain)
    payer.relayTo(payee)
    payee.relayTo(payer)
  }, DEADLINE_MS)

  afterAll(async () => {
    await Promise.all([payer?.stop(), payee?.stop()])
    await chain?.anvil.stop()
  })

  it('tells its health to anyone, and serves with a token only', async () => {
    const health = await fetch(`${payer.engine.url}/health`)
    expect([health.status, await health.json()]).toEqual([200, { status: 'healthy' }])
    const without = await fetch(`${payer.engine.url}/accounts`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: '{"id":"bob"}',
    })
    expect(without.status).toBe(401)
    expect(await payer.setUpAccount()).toBe(201)
    expect(await payee.setUpAccount()).toBe(201)
  })

  it('settles exactly what it was asked for, killed again and again, over networks that lose, repeat and reorder', async () => {
    const requests = Array.from({ length: SETTLEMENTS }, (_, index) => ({
      account: payer.account,
      key: `request-${index}`,
      amount: BigInt(1 + random.below(1_000_000_000)),
      scale: TOKEN_SCALE + random.below(ASKED_SCALE_MAX - TOKEN_SCALE + 1),
    }))
    // The engine refuses it as one order, and carries it out in parts.
    requests.push({ account: payer.account, key: 'large', amount: 2n * ORDER_MAX + 1n, scale: TOKEN_SCALE })
    const asked = requests.reduce(
      (sum, { amount, scale }) => sum + amount * 10n ** BigInt(ASKED_SCALE_MAX - scale),
      0n,
    )
    const unit = 10n ** BigInt(ASKED_SCALE_MAX - TOKEN_SCALE)
    const whole = asked / unit
    const parts = Math.ceil(requests.length / (KILLS + 1))
    for (let part = 0; part * parts < requests.length; part++) {
      const share = requests.slice(part * parts, (part + 1) * parts)
      const settling = payer.connector.settleAll(payer.toEngine.url, share, random, payer.engine.token)
      const before = payee.connector.total()
      if (part < KILLS) {
        const killed = random.pick([payer, payee])
        await waitFor('some money to move', () => payee.connector.total() > before, DEADLINE_MS)
        for (const side of [killed, killed === payer ? payee : payer]) {
          expect(await side.engine.end('SIGKILL')).toBe(null)
          await side.engine.start()
        }
      }
      await settling
    }
    for (const side of [payer, payee]) side.isCalm = true
    // What waits for its next attempt is tried at once after a start.
    for (const side of [payer, payee]) {
      expect(await side.engine.end('SIGTERM')).toBe(0)
      await side.engine.start()
    }
    const books = whole * 10n ** BigInt(BOOKS_SCALE - TOKEN_SCALE)
    await waitFor('everything to be credited', () => payee.connector.total() >= books, DEADLINE_MS)
    await Promise.all([payer, payee].flatMap((side) => [side.toEngine.quiet(), side.toConnector.quiet()]))
    expect(payee.connector.total()).toBe(books)
    expect(payee.connector.conflicts + payer.connector.conflicts).toBe(0)
    expect(payer.connector.credits.size).toBe(0)

    const told = await waitFor('the books of the payer to close', async () => {
      const [account] = (await payer.engine.operator<Status>('status')).accounts
      return account?.open.amount === '0' ? account : undefined
    })
    expect(told.settled).toEqual({ amount: whole.toString(), scale: TOKEN_SCALE })
    expect(BigInt(told.pending.amount) * 10n ** BigInt(ASKED_SCALE_MAX - told.pending.scale)).toBe(
      asked % unit,
    )
    const { accounts } = await payee.engine.operator<Status>('status')
    expect(accounts[0]?.credited).toEqual({ amount: whole.toString(), scale: TOKEN_SCALE })

    const [channel] = await payee.engine.operator<Channel[]>('channels')
    expect(BigInt(channel!.claimed) + BigInt(channel!.unclaimed)).toBe(whole)
    await payee.engine.operator('claim', channel!.id)
    const isPaid = async () => (await chain.tokenBalance(payee.address)) === whole
    await waitFor('the whole sum on the chain', isPaid, DEADLINE_MS)
  })

  it('keeps what a stranger pays until an operator gives it to an account', async () => {
    await chain.mint(RICH, 5_000n)
    await chain.payTokens(RICH, payee.address, 4_321n)
    const [stray] = await waitFor(
      'the payment to be noticed',
      async () => {
        const credits = await payee.engine.operator<{ id: string; quantity: Amount }[]>('suspense')
        return credits.length > 0 ? credits : undefined
      },
      DEADLINE_MS,
    )
    expect(stray?.quantity).toEqual({ amount: '4321', scale: TOKEN_SCALE })
    const before = payee.connector.total()
    await expect(payee.engine.operator('attribute', stray!.id, 'nobody')).rejects.toThrow(/no account nobody/)
    await payee.engine.operator('attribute', stray!.id, payee.account)
    await waitFor('the credit', () => payee.connector.total() === before + 4_321_000n, DEADLINE_MS)
    expect(await payee.engine.operator('suspense')).toEqual([])
  })
})

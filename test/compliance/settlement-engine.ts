import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import {
  type EngineAccount,
  type EngineHost,
  type HostOrders,
  type IncomingCredit,
  MessageRefusedError,
  OrderConflictError,
  PeerMessageError,
  type Quantity,
  ResumeRefusedError,
  type SettlementEngine,
  type SettlementOrder,
} from '../../src/settlement/engine.ts'
import { addQuantities, convertQuantity } from '../../src/settlement/quantity.ts'
import { waitFor } from '../support/wait-for.ts'

/** What the suite needs of an engine, its network and its durable state. */
export interface EngineHarness {
  /** A new engine over the same durable state and network, not started. */
  make(host: EngineHost): Promise<SettlementEngine>
  /** Ends the engine the hard way: as a killed process leaves it. */
  crash(engine: SettlementEngine): Promise<void>
  /** An account whose settings work; the same id gives the same settings. */
  account(id: string): EngineAccount
  /** Until called with true, no order reaches its end. */
  finalise(on: boolean): Promise<void>
  /** Lets the network go on, and the engine notice: called again and again while the suite waits. */
  advance(): Promise<void>
  /** An order like this one that the network refuses for good; undefined when that cannot be brought about. */
  refuse: ((order: SettlementOrder) => Promise<SettlementOrder>) | undefined
  /** The account's peer: answers messages of the engine. Undefined for engines that need none to pay. */
  peer: ((accountId: string, message: Buffer) => Promise<Buffer>) | undefined
  /** Somebody pays us; undefined where money comes in by messages of the peer only. */
  payIn: ((accountId: string | undefined, amount: bigint) => Promise<Quantity>) | undefined
  /** Milliseconds to wait for the network. */
  patienceMs: number
  dispose(): Promise<void>
}

/** Hears what an engine tells, and takes it or not. */
class RecordingHost implements EngineHost {
  readonly ends: { id: string; how: 'settled' | 'refused' }[] = []
  readonly credits: IncomingCredit[] = []
  /** Orders that the engine may have been given. */
  readonly handed: SettlementOrder[] = []
  /** Every call, the refused ones too. */
  calls = 0
  refusing = false
  /** Whether messages to peers are lost. */
  isCutOff = false
  readonly #peer: EngineHarness['peer']

  constructor(peer: EngineHarness['peer']) {
    this.#peer = peer
  }

  async credit(credit: IncomingCredit): Promise<void> {
    this.#hear()
    this.credits.push(credit)
  }

  async settled(id: string): Promise<void> {
    this.#hear()
    this.ends.push({ id, how: 'settled' })
  }

  async refused(id: string): Promise<void> {
    this.#hear()
    this.ends.push({ id, how: 'refused' })
  }

  async send(accountId: string, message: Buffer): Promise<Buffer> {
    if (this.#peer === undefined || this.isCutOff) throw new PeerMessageError('this peer does not answer')
    return await this.#peer(accountId, message)
  }

  async credited(prefix: string): Promise<Quantity> {
    const known = new Map(this.credits.map((credit) => [credit.id, credit]))
    return sumOf([...known.values()].filter(({ id }) => id.startsWith(prefix)))
  }

  async orders(accountId: string): Promise<HostOrders> {
    const own = this.handed.filter((order) => order.accountId === accountId)
    const settled = new Set(this.ends.filter(({ how }) => how === 'settled').map(({ id }) => id))
    const ended = new Set(this.ends.map(({ id }) => id))
    return {
      settled: sumOf(own.filter(({ id }) => settled.has(id))),
      open: [],
      offered: own.filter(({ id }) => !ended.has(id)),
    }
  }

  #hear(): void {
    this.calls++
    if (this.refusing) throw new Error('the node cannot take it now')
  }
}

/** The suite that every settlement engine passes (`src/settlement/engine.ts`). */
export function settlementEngineCompliance(name: string, makeHarness: () => Promise<EngineHarness>): void {
  describe(`settlement engine compliance: ${name}`, () => {
    let harness: EngineHarness
    let host: RecordingHost
    let engine: SettlementEngine
    let orders = 0

    async function open(): Promise<void> {
      engine = await harness.make(host)
      await engine.start()
      await engine.openAccount(harness.account('alice'))
      await engine.openAccount(harness.account('bob'))
    }

    /** The process dies and comes back. */
    async function crash(): Promise<void> {
      await harness.crash(engine)
      await open()
    }

    function order(amount = 1_000n, accountId = 'alice'): SettlementOrder {
      const id = `order-${++orders}`
      const made = { id, accountId, quantity: { amount, scale: engine.scaleOf(accountId) } }
      host.handed.push(made)
      return made
    }

    function ends(id: string): string[] {
      return host.ends.filter((end) => end.id === id).map(({ how }) => how)
    }

    async function ended(id: string): Promise<string> {
      return await waitFor(
        `the end of ${id}`,
        async () => {
          await harness.advance()
          return ends(id)[0]
        },
        harness.patienceMs,
      )
    }

    beforeEach(async () => {
      harness = await makeHarness()
      host = new RecordingHost(harness.peer)
      await open()
    })

    afterEach(async () => {
      await engine.stop()
      await harness.dispose()
    })

    describe('orders', () => {
      it('carries an order out and tells it', async () => {
        await harness.finalise(true)
        const first = order()
        await engine.settle(first)
        expect(await ended(first.id)).toBe('settled')
        const { settled, open } = await engine.statement('alice')
        expect(sameValue(settled, first.quantity)).toBe(true)
        expect(open.amount).toBe(0n)
      })

      it('carries a repeated order out once', async () => {
        await harness.finalise(true)
        const first = order()
        await Promise.all([engine.settle(first), engine.settle(first)])
        await engine.settle(first)
        expect(await ended(first.id)).toBe('settled')
        await engine.settle(first)
        await crash()
        await engine.settle(first)
        for (let round = 0; round < 3; round++) await harness.advance()
        expect(sameValue((await engine.statement('alice')).settled, first.quantity)).toBe(true)
        expect(new Set(ends(first.id))).toEqual(new Set(['settled']))
      })

      it('refuses an id that was used for another order, and changes nothing', async () => {
        const first = order()
        await engine.settle(first)
        const { quantity } = first
        const other = { ...first, quantity: { ...quantity, amount: quantity.amount + 1n } }
        await expect(engine.settle(other)).rejects.toThrow(OrderConflictError)
        await expect(engine.settle({ ...first, accountId: 'bob' })).rejects.toThrow(OrderConflictError)
        await crash()
        await expect(engine.settle(other)).rejects.toThrow(OrderConflictError)
        expect(sameValue(await taken('alice'), quantity)).toBe(true)
        expect((await taken('bob')).amount).toBe(0n)
      })

      it('does not take orders for an account that it does not serve', async () => {
        const stray = { ...order(), accountId: 'nobody' }
        await expect(engine.settle(stray)).rejects.toThrow()
        await engine.closeAccount('bob')
        await expect(engine.settle({ ...order(), accountId: 'bob' })).rejects.toThrow()
        expect((await taken('alice')).amount).toBe(0n)
      })

      it('takes an order up again after a crash', async () => {
        const first = order()
        await engine.settle(first)
        await crash()
        expect(sameValue(await taken('alice'), first.quantity)).toBe(true)
        await harness.finalise(true)
        expect(await ended(first.id)).toBe('settled')
      })

      it('carries out what is open for an account that was closed', async () => {
        const first = order(700n, 'bob')
        await engine.settle(first)
        await engine.closeAccount('bob')
        await harness.finalise(true)
        expect(await ended(first.id)).toBe('settled')
      })

      it('repeats the end of an order until the node takes it, over a crash', async () => {
        host.refusing = true
        const first = order()
        await engine.settle(first)
        await harness.finalise(true)
        await waitFor(
          'a first try',
          async () => {
            await harness.advance()
            return host.calls > 0
          },
          harness.patienceMs,
        )
        expect(host.ends).toEqual([])
        await crash()
        host.refusing = false
        expect(await ended(first.id)).toBe('settled')
      })

      it('keeps orders of several accounts apart, and sums them exactly', async () => {
        const all = [order(1n), order(22n), order(333n, 'bob'), order(4_444n)]
        for (const one of all) await engine.settle(one)
        expect((await units(await taken('alice'), 'alice')).amount).toBe(1n + 22n + 4_444n)
        await harness.finalise(true)
        for (const one of all) expect(await ended(one.id)).toBe('settled')
        expect((await units((await engine.statement('alice')).settled, 'alice')).amount).toBe(4_467n)
        expect((await units((await engine.statement('bob')).settled, 'bob')).amount).toBe(333n)
      })

      it('takes the silence of a peer for nothing: the order waits, and is carried out', async (context) => {
        if (harness.peer === undefined) return context.skip('peers of this engine exchange no messages')
        await harness.finalise(true)
        host.isCutOff = true
        const first = order()
        await engine.settle(first)
        for (let round = 0; round < 5; round++) await harness.advance()
        await crash()
        for (let round = 0; round < 5; round++) await harness.advance()
        expect(ends(first.id)).toEqual([])
        const { open, settled } = await engine.statement('alice')
        expect(sameValue(open, first.quantity)).toBe(true)
        expect(settled.amount).toBe(0n)
        host.isCutOff = false
        expect(await ended(first.id)).toBe('settled')
      })

      it('pays one order after the other, and each once, over crashes between them', async () => {
        await harness.finalise(true)
        for (const amount of [10n, 200n, 3_000n]) {
          const one = order(amount)
          await engine.settle(one)
          expect(await ended(one.id)).toBe('settled')
          await crash()
          await engine.settle(one)
        }
        for (let round = 0; round < 3; round++) await harness.advance()
        expect((await units((await engine.statement('alice')).settled, 'alice')).amount).toBe(3_210n)
        expect((await engine.statement('alice')).differences).toEqual([])
      })

      it('tells an order refused that the network refuses for good', async (context) => {
        const { refuse } = harness
        if (refuse === undefined) return context.skip('this engine never refuses an order by itself')
        const [asked, good] = [order(50n), order(60n)]
        const bad = await refuse(asked)
        if (bad !== asked) host.handed.splice(host.handed.indexOf(asked), 1, bad)
        await harness.finalise(true)
        await engine.settle(bad)
        await engine.settle(good)
        expect(await ended(bad.id)).toBe('refused')
        expect(await ended(good.id)).toBe('settled')
        expect((await units((await engine.statement('alice')).settled, 'alice')).amount).toBe(60n)
        expect((await units((await engine.statement('alice')).open, 'alice')).amount).toBe(0n)
      })
    })

    describe('credits', () => {
      it('tells what came in, exactly, and by the same id when the node did not take it', async (context) => {
        const { payIn } = harness
        if (payIn === undefined) return context.skip('nothing can be paid in from outside here')
        host.refusing = true
        const paid = await payIn('alice', 1_234n)
        await waitFor(
          'a first try',
          async () => {
            await harness.advance()
            return host.calls > 0
          },
          harness.patienceMs,
        )
        await crash()
        host.refusing = false
        await credited(1)
        expect(host.credits[0]?.accountId).toBe('alice')
        expect(sameValue(host.credits[0]!.quantity, paid)).toBe(true)
        await crash()
        for (let round = 0; round < 3; round++) await harness.advance()
        expect(new Set(host.credits.map(({ id }) => id)).size).toBe(1)
        expect(sameValue((await engine.statement('alice')).credited, paid)).toBe(true)
      })

      it('tells equal payments as what they are: one after the other apart, at once to the unit', async (context) => {
        const { payIn } = harness
        if (payIn === undefined) return context.skip('nothing can be paid in from outside here')
        const first = await payIn('alice', 10n)
        await credited(1)
        // What comes at once may be told as one credit, where a network sums it up.
        const sum = [await payIn('alice', 10n), await payIn('alice', 10n)].reduce(addQuantities, first)
        await waitFor(
          'all credits',
          async () => {
            await harness.advance()
            return sameValue(await host.credited(''), sum)
          },
          harness.patienceMs,
        )
        expect(new Set(host.credits.map(({ id }) => id)).size).toBeGreaterThan(1)
        await harness.advance()
        expect(sameValue((await engine.statement('alice')).credited, sum)).toBe(true)
      })

      it('tells money of a stranger without an account, and goes on', async (context) => {
        const { payIn } = harness
        if (payIn === undefined) return context.skip('nothing can be paid in from outside here')
        await payIn(undefined, 1n)
        await payIn('bob', 500n)
        await credited(2)
        expect(host.credits.map(({ accountId }) => accountId).sort()).toEqual(['bob', undefined])
      })
    })

    describe('messages', () => {
      it('refuses what is no message of its protocol with a code, and changes nothing', async () => {
        const before = await engine.statement('alice')
        const channels = engine.channels()
        for (const message of [
          Buffer.alloc(0),
          Buffer.from('garbage'),
          Buffer.from('{}'),
          Buffer.alloc(100, 255),
        ]) {
          const refusal = await engine.receive('alice', message).catch((error: unknown) => error)
          expect(refusal).toBeInstanceOf(MessageRefusedError)
          expect((refusal as MessageRefusedError).code).toMatch(/^\S{1,64}$/)
        }
        expect(await engine.statement('alice')).toEqual(before)
        expect(engine.channels()).toEqual(channels)
        expect(host.calls).toBe(0)
      })

      it('refuses messages for an account that it does not serve', async () => {
        await expect(engine.receive('nobody', Buffer.from('hello'))).rejects.toThrow()
      })
    })

    describe('life', () => {
      it('opens an account again without harm', async () => {
        const first = order()
        await engine.settle(first)
        await engine.openAccount(harness.account('alice'))
        expect(sameValue(await taken('alice'), first.quantity)).toBe(true)
      })

      it('answers a probe, and stops twice', async () => {
        await engine.probe(AbortSignal.timeout(harness.patienceMs))
        await engine.stop()
        await engine.stop()
      })

      it('tells no trouble while all is well, and has nothing to resume', async () => {
        expect(engine.trouble?.()).toBeUndefined()
        if (engine.resume !== undefined)
          await expect(engine.resume()).rejects.toBeInstanceOf(ResumeRefusedError)
      })

      it('has a scale from 0 to 255 for each account', () => {
        expect(engine.scaleOf('alice')).toBeGreaterThanOrEqual(0)
        expect(engine.scaleOf('alice')).toBeLessThanOrEqual(255)
      })
    })

    async function taken(accountId: string): Promise<Quantity> {
      const { settled, open } = await engine.statement(accountId)
      return addQuantities(settled, open)
    }

    async function units(quantity: Quantity, accountId: string): Promise<{ amount: bigint }> {
      return convertQuantity(quantity, engine.scaleOf(accountId))
    }

    async function credited(count: number): Promise<void> {
      await waitFor(
        `${count} credits`,
        async () => {
          await harness.advance()
          return new Set(host.credits.map(({ id }) => id)).size >= count
        },
        harness.patienceMs,
      )
    }
  })
}

function sameValue(a: Quantity, b: Quantity): boolean {
  const scale = Math.max(a.scale, b.scale)
  return convertQuantity(a, scale).amount === convertQuantity(b, scale).amount
}

function sumOf(parts: readonly { quantity: Quantity }[]): Quantity {
  return parts.reduce<Quantity>((sum, { quantity }) => addQuantities(sum, quantity), { amount: 0n, scale: 0 })
}

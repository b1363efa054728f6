import { expect } from 'vitest'
import { toAmount } from '../../src/ilp/amount.ts'
import { type LedgerAccount, ReserveOutcome } from '../../src/ledger/ledger.ts'
import { expectBalanced, type LedgerTest } from './ledger-harness.ts'
import { LedgerModel, type ModelAccount, type ModelPacket } from './ledger-model.ts'
import type { SeededRandom } from './seeded-random.ts'
import { waitFor } from './wait-for.ts'

const ACCOUNTS = [
  { id: 'a', assetCode: 'USD', assetScale: 2 },
  { id: 'b', assetCode: 'USD', assetScale: 2 },
  { id: 'c', assetCode: 'USD', assetScale: 9 },
  { id: 'd', assetCode: 'XRP', assetScale: 6 },
]
/** Sizes of amounts: small ones meet limits often, large ones cross 2^53 and 2^63. */
const AMOUNTS = [0n, 1n, 7n, 100n, 2n ** 31n, 2n ** 53n - 1n, 2n ** 53n, 2n ** 63n, 2n ** 64n - 1n]
const LIMITS = [0n, 50n, 1_000n, 2n ** 53n, 2n ** 66n]
const IN_FLIGHT_MAX = 40
const TAIL = 12

/** Drives ledger and model through the same random steps and compares them. */
export class LedgerModelRun {
  readonly #test: LedgerTest
  readonly #random: SeededRandom
  readonly #model = new LedgerModel()
  readonly #accounts = new Map<string, LedgerAccount>()
  readonly #inFlight = new Map<number, ModelPacket>()
  readonly #log: string[] = []
  #counter = 0

  constructor(test: LedgerTest, random: SeededRandom) {
    this.#test = test
    this.#random = random
  }

  /** The last steps, for the report of a failure. */
  tail(): string {
    return this.#log.slice(-TAIL).join('\n')
  }

  async openAccounts(): Promise<void> {
    for (const asset of ACCOUNTS) {
      const known = this.#model.accounts.get(asset.id)
      const creditLimit = known?.creditLimit ?? this.#random.pick(LIMITS)
      const payableLimit = known === undefined ? this.#payableLimit() : known.payableLimit
      const spec = { ...asset, creditLimit, payableLimit }
      this.#accounts.set(asset.id, await this.#test.ledger.openAccount(spec))
      const fresh = { balance: 0n, reserved: 0n, outgoing: 0n, held: 0n }
      if (known === undefined) this.#model.accounts.set(asset.id, { ...spec, ...fresh })
    }
  }

  async step(): Promise<void> {
    const roll = this.#random.below(100)
    if (roll < 45) return await this.#reserve()
    if (roll < 65) return await this.#end('commit')
    if (roll < 75) return await this.#end('release')
    if (roll < 79) return await this.#end('abandon')
    if (roll < 85) return await this.#settleIn()
    if (roll < 90) return await this.#hold()
    if (roll < 95) return await this.#resolve()
    return await this.#limits()
  }

  /** Ledger and model agree on every account, in memory and in the books. */
  async compare(): Promise<void> {
    await expectBalanced(this.#test.ledger)
    for (const model of this.#model.accounts.values()) {
      const account = this.#accounts.get(model.id)!
      const shown = [account.balance, account.reserved, account.outgoing, account.creditLimit].map(BigInt)
      const wanted = [model.balance, model.reserved, model.outgoing, model.creditLimit]
      expect(`${model.id} ${shown}`).toBe(`${model.id} ${wanted}`)
      expect(`${model.id} ${await this.#test.booked(model.id)}`).toBe(`${model.id} ${model.balance}`)
    }
    for (const [name, balance] of this.#model.own) {
      const kind = name.slice(0, name.indexOf(':'))
      expect(`${name} ${await this.#test.booked(name, kind)}`).toBe(`${name} ${balance}`)
    }
  }

  /** Stops, now and then without a flush; packets in flight are forgotten, everything booked is kept. */
  async restart(): Promise<void> {
    const crash = this.#random.below(2) === 0
    this.#note(crash ? 'crash' : 'stop')
    for (const [slot, packet] of this.#inFlight) {
      this.#model.release(packet)
      if (this.#test.harness.reservationsOutliveCrash) this.#test.driver.release(slot)
    }
    this.#inFlight.clear()
    if (crash) await this.#test.harness.crash(this.#test.ledger)
    else await this.#test.ledger.stop()
    await this.#test.reopen()
    await this.openAccounts()
    await this.compare()
  }

  async finish(): Promise<void> {
    while (this.#inFlight.size > 0) await this.#end(this.#random.pick(['commit', 'release'] as const))
    await this.compare()
  }

  async #reserve(): Promise<void> {
    if (this.#inFlight.size >= IN_FLIGHT_MAX) return await this.#end('commit')
    const payer = this.#account()
    const payee = this.#account()
    const sameAsset = payer.assetCode === payee.assetCode && payer.assetScale === payee.assetScale
    const inAmount = this.#random.pick(AMOUNTS)
    const any = this.#random.pick(AMOUNTS)
    const outAmount = inAmount === 0n ? 0n : sameAsset && any > inAmount ? inAmount : any
    const packet = { payer, payee, inAmount, outAmount }
    this.#note(`reserve ${payer.id} -> ${payee.id} ${inAmount} ${outAmount}`)
    const expected = ReserveOutcome[this.#model.reserve(packet)]
    const from = this.#accounts.get(payer.id)!
    const to = this.#accounts.get(payee.id)!
    const answer = await this.#test.driver.reserve(from, to, toAmount(inAmount), toAmount(outAmount))
    expect(answer.outcome).toBe(expected)
    if (answer.outcome === ReserveOutcome.reserved) this.#inFlight.set(answer.slot, packet)
  }

  async #end(how: 'commit' | 'release' | 'abandon'): Promise<void> {
    if (this.#inFlight.size === 0) return
    const slot = this.#random.pick([...this.#inFlight.keys()])
    const packet = this.#inFlight.get(slot)!
    this.#inFlight.delete(slot)
    this.#note(`${how} ${slot}`)
    const { driver, ledger } = this.#test
    if (how === 'release') {
      driver.release(slot)
      this.#model.release(packet)
      const payer = this.#accounts.get(packet.payer.id)!
      await waitFor('the release', () => BigInt(payer.reserved) === packet.payer.reserved)
      return
    }
    const before = driver.timesCommitted(slot)
    ledger.commit(slot)
    if (how === 'abandon') ledger.abandon(slot)
    await driver.untilCommitted(slot, before)
    this.#model[how](packet)
    for (const { id, balance } of [packet.payer, packet.payee]) {
      await waitFor(`the balance of ${id}`, () => BigInt(this.#accounts.get(id)!.balance) === balance)
    }
  }

  async #settleIn(): Promise<void> {
    const known = [...this.#model.receipts]
    const repeat = known.length > 0 && this.#random.below(4) === 0
    const account = this.#account()
    // The id carries the fields, so that a repeat has the same ones.
    const fresh = `in:${account.id}:${1n + this.#random.pick(AMOUNTS)}:${this.#counter++}`
    const id = repeat ? this.#random.pick(known) : fresh
    const [, accountId = '', amount = ''] = id.split(':')
    this.#note(`settleIn ${id}`)
    const entry = { id, account: this.#accounts.get(accountId)!, engine: 'evm', amount: BigInt(amount) }
    const expected = this.#model.settleIn(id, this.#model.accounts.get(accountId)!, BigInt(amount))
    expect(await this.#test.ledger.settleIn(entry)).toBe(expected)
  }

  async #hold(): Promise<void> {
    const account = this.#account()
    const room = account.balance - account.reserved - account.held + account.creditLimit
    if (room < 1n || this.#random.below(4) === 0) return await this.#holdTooMuch(account, room)
    const amount = room > 1_000n ? 1n + BigInt(this.#random.below(1_000)) : 1n
    const id = `out:${account.id}:${amount}:${this.#counter++}`
    this.#note(`hold ${id}`)
    this.#model.hold(id, account, amount)
    const entry = { id, account: this.#accounts.get(account.id)!, engine: 'evm', amount }
    await this.#test.ledger.holdSettlement(entry)
    if (this.#random.below(3) === 0) await this.#test.ledger.holdSettlement(entry)
  }

  async #holdTooMuch({ id }: ModelAccount, room: bigint): Promise<void> {
    const amount = 1n + (room > 0n ? room : 0n) + BigInt(this.#random.below(100))
    const entry = { id: `over:${this.#counter++}`, account: this.#accounts.get(id)!, engine: 'evm', amount }
    this.#note(`hold too much ${id} ${amount}`)
    await expect(this.#test.ledger.holdSettlement(entry)).rejects.toThrow(/nothing is held/)
  }

  async #resolve(): Promise<void> {
    const ids = [...this.#model.settlements.keys()]
    if (ids.length === 0) return
    const id = this.#random.pick(ids)
    const to = this.#random.pick(['posted', 'voided'] as const)
    this.#note(`${to} ${id}`)
    const { ledger } = this.#test
    const call = to === 'posted' ? ledger.postSettlement(id) : ledger.voidSettlement(id)
    if (this.#model.resolve(id, to)) await call
    else await expect(call).rejects.toThrow(id)
  }

  async #limits(): Promise<void> {
    const account = this.#account()
    account.creditLimit = this.#random.pick(LIMITS)
    account.payableLimit = this.#payableLimit()
    this.#note(`limits ${account.id} ${account.creditLimit} ${account.payableLimit}`)
    await this.#test.ledger.setCreditLimit(this.#accounts.get(account.id)!, account.creditLimit)
    this.#test.ledger.setPayableLimit(this.#accounts.get(account.id)!, account.payableLimit)
  }

  #payableLimit(): bigint | undefined {
    return this.#random.below(2) === 0 ? undefined : this.#random.pick(LIMITS)
  }

  #account(): ModelAccount {
    return this.#random.pick([...this.#model.accounts.values()])
  }

  #note(step: string): void {
    this.#log.push(step)
  }
}

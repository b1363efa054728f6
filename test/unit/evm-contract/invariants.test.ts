import { randomInt } from 'node:crypto'
import {
  type Abi,
  type Address,
  encodeFunctionData,
  type Hex,
  maxUint256,
  numberToHex,
  parseEther,
  parseEventLogs,
  type RpcTransactionReceipt,
  type RpcTransactionRequest,
  zeroAddress,
} from 'viem'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { settlementChannelsAbi } from '../../../settlement-engines/evm/contract/settlement-channels-abi.ts'
import { mulberry32 } from '../../support/mulberry32.ts'
import { ChannelsChain, channelIdOf, GAS, keyOf, type TestAccount } from './channels-chain.ts'
import {
  ChannelsModel,
  CLOSED,
  type Expected,
  type ModelChannel,
  type ModelRow,
  purse,
} from './channels-model.ts'

const SEQUENCES = 300
const CALLS = 30
/** Where a slow machine stops early; every sequence that was begun is finished. */
const BUDGET_MS = 40_000
const ROWS_MAX = 6
/** For calls that are drawn by name. */
const UNTYPED_ABI: Abi = settlementChannelsAbi
const DELAYS = [900, 3_600, 86_400]

interface Call {
  readonly from: Address
  readonly name: string
  readonly args: readonly unknown[]
  readonly value?: bigint
}

interface Figures {
  readonly deposited: bigint
  readonly claimed: bigint
}

/** Draws calls, makes them on the chain and on the model, and holds one against the other. */
class Fuzzer {
  readonly chain: ChannelsChain
  readonly model: ChannelsModel
  readonly parties: readonly Address[]
  readonly payers: readonly TestAccount[] = [keyOf('fuzz payer 0'), keyOf('fuzz payer 1')]
  readonly keys: readonly TestAccount[] = [keyOf('fuzz key 0'), keyOf('fuzz key 1')]
  readonly tokens: readonly Address[]
  readonly #payees: readonly Address[]
  readonly #receiver: Address
  readonly #blocking: Address
  readonly #random: () => number
  readonly #probe: Address
  #start = new Map<string, bigint>()
  #ids: Hex[] = []
  #nowS = 0n
  #salts = 0
  calls = 0
  refusals = 0

  private constructor(
    chain: ChannelsChain,
    probe: Address,
    receiver: Address,
    tokens: readonly Address[],
    seed: number,
  ) {
    this.#probe = probe
    this.chain = chain
    this.model = new ChannelsModel(chain.channels.address)
    this.#receiver = receiver
    this.tokens = tokens
    this.#blocking = tokens[2]!
    this.#payees = [chain.payee.address, receiver]
    this.parties = [...this.payers.map(({ address }) => address), ...this.#payees, chain.channels.address]
    this.#random = mulberry32(seed)
  }

  static async create(chain: ChannelsChain, seed: number): Promise<Fuzzer> {
    const probe = await chain.deploy('ChannelsProbe')
    const receiver = await chain.deploy('HostileReceiver')
    const good = await chain.deploy('TestToken', ['Test', 'TST', 6])
    const blocking = await chain.deploy('BlockingToken')
    const fuzzer = new Fuzzer(chain, probe, receiver, [zeroAddress, good, blocking], seed)
    for (const { address } of fuzzer.payers) {
      await chain.client.setBalance({ address, value: parseEther('1000000') })
      for (const [name, token] of [
        ['TestToken', good],
        ['BlockingToken', blocking],
      ] as const) {
        await chain.call(address, name, token, 'mint', [address, 10n ** 30n])
        await chain.call(address, name, token, 'approve', [chain.channels.address, maxUint256])
      }
    }
    fuzzer.#start = (await fuzzer.#purses()).balances
    await chain.client.setBlockTimestampInterval({ interval: 1 })
    fuzzer.#nowS = await chain.now()
    return fuzzer
  }

  async sequence(): Promise<void> {
    this.#ids = []
    while (this.#ids.length === 0) await this.#open()
    for (let call = 1; call < CALLS; call++) {
      const steps = [
        ...[this.#open, this.#fund, this.#requestClose, this.#cancelClose, this.#withdraw, this.#close],
        ...[this.#claim, this.#claim, this.#claim, this.#claimMany, this.#claimMany],
        ...[this.#withdrawOwed, this.#changeManner, this.#pass],
      ]
      await this.#pick(steps).call(this)
    }
    await this.#check()
  }

  async #open(): Promise<void> {
    const payer = this.#pick(this.payers).address
    const repeated = this.#ids.length > 0 && this.#chance(0.1) ? this.#someChannel() : undefined
    const key = repeated?.key ?? this.#pick(this.keys)
    this.#salts++
    const terms = repeated?.terms ?? {
      payee: this.#pick(this.#payees),
      token: this.#pick(this.tokens),
      signer: key.address,
      settleDelay: this.#pick(DELAYS),
      salt: numberToHex(this.#salts, { size: 32 }),
    }
    const amount = this.#chance(0.05) ? 0n : BigInt(this.#below(1_000_000) + 1)
    const from = repeated?.payer ?? payer
    const id = channelIdOf(this.chain.channels.address, from, terms)
    const value = terms.token === zeroAddress ? amount : 0n
    const expected = this.model.open(from, id, terms, key, amount)
    await this.#make({ from, name: 'open', args: [terms, amount], value }, expected)
    if (repeated === undefined && expected !== undefined) this.#ids.push(id)
  }

  async #fund(): Promise<void> {
    const channel = this.#someChannel()
    const from = this.#pick(this.payers).address
    const amount = this.#chance(0.05) ? 0n : BigInt(this.#below(500_000) + 1)
    const value = channel.terms.token === zeroAddress ? amount : 0n
    const expected = this.model.fund(from, channel.id, amount)
    await this.#make({ from, name: 'fund', args: [channel.id, amount], value }, expected)
  }

  async #claim(): Promise<void> {
    const { row, signature } = await this.#voucher()
    const args = [row.id, row.cumulative, signature]
    await this.#make({ from: this.#anybody(), name: 'claim', args }, this.model.claim(row))
  }

  async #claimMany(): Promise<void> {
    const vouchers = []
    for (let count = this.#below(ROWS_MAX + 1); count > 0; count--) vouchers.push(await this.#voucher())
    const rows = vouchers.map(({ row, signature }) => ({ id: row.id, cumulative: row.cumulative, signature }))
    const expected = this.model.claimMany(vouchers.map(({ row }) => row))
    await this.#make({ from: this.#anybody(), name: 'claimMany', args: [rows] }, expected)
  }

  async #requestClose(): Promise<void> {
    const { id, payer } = this.#someChannel()
    const from = this.#chance(0.85) ? payer : this.#anybody()
    await this.#make(
      { from, name: 'requestClose', args: [id] },
      this.model.requestClose(from, id, this.#nowS + 1n),
    )
  }

  async #cancelClose(): Promise<void> {
    const { id, payer } = this.#someChannel(true)
    const from = this.#chance(0.85) ? payer : this.#anybody()
    await this.#make({ from, name: 'cancelClose', args: [id] }, this.model.cancelClose(from, id))
  }

  async #withdraw(): Promise<void> {
    const { id } = this.#someChannel(true)
    const from = this.#anybody()
    await this.#make({ from, name: 'withdraw', args: [id] }, this.model.withdraw(from, id, this.#nowS + 1n))
  }

  async #close(): Promise<void> {
    const { row, signature } = await this.#voucher()
    const channel = this.model.channels.get(row.id)
    const from = channel !== undefined && this.#chance(0.8) ? channel.terms.payee : this.#anybody()
    if (this.#chance(0.5)) {
      const expected = this.model.close(from, row.id, undefined)
      await this.#make({ from, name: 'close', args: [row.id] }, expected)
    } else {
      const args = [row.id, row.cumulative, signature]
      await this.#make({ from, name: 'closeWithVoucher', args }, this.model.close(from, row.id, row))
    }
  }

  async #withdrawOwed(): Promise<void> {
    const entry = this.#chance(0.9) ? this.#pick([...this.model.owed.keys(), '']) : ''
    const account = this.parties.find((party) => entry.startsWith(party)) ?? this.#anybody()
    const token = this.tokens.find((part) => entry.endsWith(part)) ?? this.#pick(this.tokens)
    const from = this.#chance(0.5) ? account : this.#anybody()
    const to = this.#chance(0.7) ? account : this.#anybody()
    const expected = this.model.withdrawOwed(from, account, token, to)
    await this.#make({ from, name: 'withdrawOwed', args: [account, token, to] }, expected)
  }

  /** Has the receiver contract, or the blocking token towards somebody, turn round. */
  async #changeManner(): Promise<void> {
    const somebody = this.#pick([...this.payers.map(({ address }) => address), ...this.#payees])
    const native = this.#chance(0.4)
    const entry = native ? purse(this.#receiver, zeroAddress) : purse(somebody, this.#blocking)
    const refusing = !this.model.refusing.has(entry)
    if (refusing) this.model.refusing.add(entry)
    else this.model.refusing.delete(entry)
    const manner = refusing ? this.#below(3) + 1 : 0
    const { chain } = this
    const from = chain.stranger.address
    if (native) await chain.call(from, 'HostileReceiver', this.#receiver, 'setManner', [manner])
    else await chain.call(from, 'BlockingToken', this.#blocking, 'setManner', [somebody, manner])
    this.#nowS++
  }

  async #pass(): Promise<void> {
    this.#nowS += BigInt(this.#pick([10, 899, 4_000, 90_000]))
    await this.chain.client.setNextBlockTimestamp({ timestamp: this.#nowS })
    await this.chain.client.mine({ blocks: 1 })
  }

  async #voucher(): Promise<{ row: ModelRow; signature: Hex }> {
    const { id, key, deposited, claimed } = this.#someChannel()
    const top = Number(deposited + deposited / 4n)
    const cumulative = this.#chance(0.1) ? claimed : BigInt(this.#below(top + 1))
    const good = !this.#chance(0.1)
    if (!good && this.#chance(0.3)) return { row: { id, cumulative, good }, signature: '0x1234' }
    const signer = good ? key : this.#pick(this.payers)
    return { row: { id, cumulative, good }, signature: await this.chain.voucher(id, cumulative, signer) }
  }

  /** Sends the call and compares what happened with what had to. */
  async #make(call: Call, expected: Expected): Promise<void> {
    const { client, channels } = this.chain
    const data = encodeFunctionData({ abi: UNTYPED_ABI, functionName: call.name, args: call.args })
    const receipt = await client.request<{
      Method: 'eth_sendTransactionSync'
      Parameters: [RpcTransactionRequest]
      ReturnType: RpcTransactionReceipt
    }>({
      method: 'eth_sendTransactionSync',
      params: [
        {
          from: call.from,
          to: channels.address,
          data,
          value: numberToHex(call.value ?? 0n),
          gas: numberToHex(GAS),
          gasPrice: '0x0',
        },
      ],
    })
    this.#nowS++
    this.calls++
    if (expected === undefined) this.refusals++
    const logs = receipt.logs.filter((log) => log.address.toLowerCase() === channels.address.toLowerCase())
    const events = parseEventLogs({ abi: settlementChannelsAbi, logs })
    const told =
      receipt.status === '0x1' ? events.map(({ eventName, args }) => ({ eventName, args })) : undefined
    expect(told, `${call.name} by ${call.from}`).toEqual(expected)
  }

  /** The invariants, from what the chain itself tells, and the chain against the model. */
  async #check(): Promise<void> {
    const { chain, model } = this
    // Channels of earlier sequences are not touched any more.
    const channels = [...model.channels.values()].filter(
      ({ id, closeAt }) => closeAt !== CLOSED || this.#ids.includes(id),
    )
    const locked = new Map(this.tokens.map((token) => [token, 0n]))
    const real = await chain.look<Figures[]>('ChannelsProbe', this.#probe, 'channels', [
      chain.channels.address,
      channels.map(({ id }) => id),
    ])
    for (const [index, { payer, terms, deposited, claimed, closeAt }] of channels.entries()) {
      expect(real[index]).toMatchObject({ payer, deposited, claimed, closeAt })
      expect(real[index]!.claimed <= real[index]!.deposited).toBe(true)
      if (closeAt === CLOSED) continue
      const left = real[index]!.deposited - real[index]!.claimed
      locked.set(terms.token, locked.get(terms.token)! + left)
    }
    const { owed, balances } = await this.#purses()
    for (const token of this.tokens) {
      let owedSum = 0n
      for (const account of this.parties) {
        const entry = purse(account, token)
        expect(owed.get(entry)).toBe(model.owed.get(entry) ?? 0n)
        expect(balances.get(entry)).toBe(this.#start.get(entry)! + (model.balances.get(entry) ?? 0n))
        owedSum += owed.get(entry)!
      }
      expect(balances.get(purse(chain.channels.address, token))).toBe(locked.get(token)! + owedSum)
    }
  }

  /** Debts and balances of everybody in everything, as the chain tells them. */
  async #purses(): Promise<{ owed: Map<string, bigint>; balances: Map<string, bigint> }> {
    const args = [this.chain.channels.address, this.parties, this.tokens]
    const answer = await this.chain.look<[bigint[], bigint[]]>('ChannelsProbe', this.#probe, 'purses', args)
    const entries = this.parties.flatMap((account) => this.tokens.map((token) => purse(account, token)))
    const [owed, balances] = answer.map((list) => new Map(entries.map((entry, at) => [entry, list[at]!])))
    return { owed: owed!, balances: balances! }
  }

  /** Mostly one that is not closed and, where asked for, closing. */
  #someChannel(isClosing = false): ModelChannel {
    const known = this.#ids.map((id) => this.model.channels.get(id)!)
    const alive = known.filter(({ closeAt }) => closeAt !== CLOSED)
    const closing = alive.filter(({ closeAt }) => closeAt !== 0n)
    if (isClosing && closing.length > 0 && this.#chance(0.9)) return this.#pick(closing)
    return this.#pick(alive.length > 0 && this.#chance(0.9) ? alive : known)
  }

  #anybody(): Address {
    return this.#pick(this.parties.slice(0, -1))
  }

  #pick<T>(choices: readonly T[]): T {
    return choices[this.#below(choices.length)]!
  }

  #below(bound: number): number {
    return Math.floor(this.#random() * bound)
  }

  #chance(share: number): boolean {
    return this.#random() < share
  }
}

let chain: ChannelsChain
beforeAll(async () => {
  chain = await ChannelsChain.start()
  await chain.makeGasFree()
})
afterAll(async () => {
  await chain?.stop()
})

it('SettlementChannels does what its model does and keeps its invariants, whatever is called', async () => {
  const seed = Number(process.env.CAUSEWAY_FUZZ_SEED ?? randomInt(2 ** 31))
  console.log(`seed ${seed} (CAUSEWAY_FUZZ_SEED repeats it)`)
  const fuzzer = await Fuzzer.create(chain, seed)
  const end = Date.now() + BUDGET_MS
  let sequences = 0
  while (sequences < SEQUENCES && Date.now() < end) {
    await fuzzer.sequence()
    sequences++
  }
  console.log(
    `${sequences} sequences, ${fuzzer.calls} calls, ${fuzzer.refusals} of them refused as they must be`,
  )
  expect(fuzzer.refusals).toBeLessThan(fuzzer.calls / 2)
}, 120_000)

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Hex } from 'viem'
import { Chain } from '../../../settlement-engines/evm/chain.ts'
import { EngineStore } from '../../../settlement-engines/evm/engine-store.ts'
import type { Finality } from '../../../settlement-engines/evm/finality.ts'
import { SigningKey } from '../../../settlement-engines/evm/signing-key.ts'
import type { TxIntent, TxOutcome } from '../../../settlement-engines/evm/tx-intent.ts'
import { TxSender } from '../../../settlement-engines/evm/tx-sender.ts'
import { silentLogger } from '../../../src/lib/logger.ts'
import { ANVIL_KEYS } from '../../support/anvil.ts'

export const GWEI = 10n ** 9n
export const RECIPIENT: Hex = '0x00000000000000000000000000000000000c0ffe'

/** A plain transfer with wide bounds. */
export function transfer(purpose: string, change: Partial<TxIntent> = {}): TxIntent {
  return {
    purpose,
    to: RECIPIENT,
    value: 1_000n,
    data: '0x',
    gasLimit: 21_000n,
    feeBudget: 10n ** 16n,
    urgency: 'calm',
    deadlineMs: undefined,
    ...change,
  }
}

export interface SenderFixtureOptions {
  readonly urls: readonly string[]
  readonly privateKey?: Hex
  readonly finality?: Finality
  readonly maxFeePerGas?: bigint
  readonly directory?: string
  readonly requestDeadlineMs?: number
  /** 0, and so no rounds of its own, unless given. */
  readonly pollMs?: number
}

/** A sender with a store of its own and a clock that tests set; rounds happen when `tick` is called. */
export class SenderFixture {
  readonly directory: string
  readonly alarms: string[] = []
  readonly outcomes: { purpose: string; outcome: TxOutcome }[] = []
  nowMs = 1_700_000_000_000
  onOutcome: () => void = () => undefined
  readonly #options: SenderFixtureOptions
  #open: { chain: Chain; store: EngineStore; sender: TxSender } | undefined

  constructor(options: SenderFixtureOptions) {
    this.#options = options
    this.directory = options.directory ?? mkdtempSync(join(tmpdir(), 'causeway-evm-'))
  }

  get sender(): TxSender {
    return this.#open!.sender
  }

  get store(): EngineStore {
    return this.#open!.store
  }

  get chain(): Chain {
    return this.#open!.chain
  }

  async start(): Promise<this> {
    const { urls, privateKey = ANVIL_KEYS[0]!, finality = { kind: 'finalized' } } = this.#options
    const { maxFeePerGas = 500n * GWEI, requestDeadlineMs = 1_000, pollMs = 0 } = this.#options
    const chain = new Chain({ urls, chainId: 31_337, requestDeadlineMs }, { logger: silentLogger })
    const store = new EngineStore(join(this.directory, 'evm.db'))
    store.start()
    const sender = new TxSender(
      { finality, maxFeePerGas, pollMs, rebroadcastMs: 0, bumpAfterMs: { calm: 45_000, urgent: 15_000 } },
      {
        chain,
        store,
        key: new SigningKey(privateKey),
        clock: { now: () => this.nowMs },
        logger: silentLogger,
        alarm: (code) => this.alarms.push(code),
        onOutcome: ({ purpose }, outcome) => {
          this.onOutcome()
          this.outcomes.push({ purpose, outcome })
        },
      },
    )
    this.#open = { chain, store, sender }
    await chain.start()
    await sender.start()
    return this
  }

  /** Stops; the store stays for another start. */
  async stop(): Promise<void> {
    const open = this.#open
    this.#open = undefined
    await open?.sender.stop()
    open?.chain.stop()
    open?.store.stop()
  }

  async destroy(): Promise<void> {
    await this.stop()
    rmSync(this.directory, { recursive: true, force: true })
  }

  /** Kinds of the outcomes so far, with their purposes. */
  get told(): string[] {
    return this.outcomes.map(({ purpose, outcome }) => `${purpose} ${outcome.kind}`)
  }
}

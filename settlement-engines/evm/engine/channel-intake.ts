import type { Hex } from 'viem'
import { MessageRefusedError } from '../../../src/settlement/engine.ts'
import { ChainError } from '../chain-error.ts'
import { readHeads } from '../finality.ts'
import type { AccountRecord } from './account-book.ts'
import type { ChannelOnChain } from './channel-contract.ts'
import { type ChannelRecord, recordOf } from './channel-record.ts'
import type { CreditCheck } from './credit-check.ts'
import type { EngineCore } from './engine-core.ts'
import { min } from './min-max.ts'
import { STATE_CHANNELS_MAX } from './peer-messages.ts'

/** Takes channels of peers into the books, on our terms. */
export class ChannelIntake {
  readonly #core: EngineCore
  readonly #check: CreditCheck
  readonly #sawFinal: (block: number) => void

  /** @param deps.sawFinal called with the number of a final block from which a channel was read */
  constructor(core: EngineCore, deps: { check: CreditCheck; sawFinal: (block: number) => void }) {
    this.#core = core
    this.#check = deps.check
    this.#sawFinal = deps.sawFinal
  }

  /**
   * Reads the channel as it is now, in the final block and the newest one. A closing one that the node has credited is
   * taken too, to be defended.
   * @throws MessageRefusedError when it is not one that we accept from this peer
   */
  async take(account: AccountRecord, channelId: Hex): Promise<ChannelRecord> {
    const { accounts, chain, channels, contract, funding, questions, settings, store } = this.#core
    const known = channels.find(channelId)
    if (known !== undefined && (known.accountId !== account.id || known.direction !== 'in')) throw foreign()
    const peer = accounts.peer(account.id)
    if (peer?.signer === undefined) throw new MessageRefusedError('unknown-peer', 'say hello first')
    if (!questions.take(account.id)) throw tooOften()
    const { final } = await readHeads(chain, settings.finality)
    const [[found], [newest]] = [
      await contract.read([channelId], final.number),
      await contract.read([channelId], 'latest'),
    ]
    this.#sawFinal(final.number)
    if (found === undefined || newest === undefined) {
      throw new MessageRefusedError('channel-unknown', 'there is no such channel in a final block')
    }
    if (found.payer !== peer.address || found.payee !== funding.address) {
      throw new MessageRefusedError('channel-foreign', 'the channel is not from this peer to us')
    }
    if (found.state === 'closed' || newest.state === 'closed') throw closing()
    const deposited = min(found.deposited, newest.deposited)
    // What the node has credited from it was accepted once, by whatever terms held then.
    const isAccepted = known !== undefined || (await this.#credited(channelId, account)) > 0n
    if (!isAccepted) {
      if (found.state !== 'open' || newest.state !== 'open') throw closing()
      if (channels.live('in', account.id).length >= STATE_CHANNELS_MAX) {
        throw new MessageRefusedError(
          'too-many-channels',
          `${STATE_CHANNELS_MAX} channels of this account are not closed: close some`,
        )
      }
      this.#checkTerms(found, account, peer.signer)
    }
    return store.transaction(() => {
      // It may have been taken while the chain was asked.
      if (channels.find(channelId) === undefined) {
        const own = { id: channelId, accountId: account.id, direction: 'in', scale: account.scale } as const
        channels.save(recordOf({ ...found, ...newest, deposited }, own))
      }
      const channel = channels.update(channelId, { deposited })
      const isOpen = found.state === 'open' && newest.state === 'open'
      // The next look at the chain takes down since when.
      return isOpen ? channel : { ...channel, state: 'closing' }
    })
  }

  async #credited(channelId: Hex, account: AccountRecord): Promise<bigint> {
    try {
      return await this.#check.credited(channelId, account.scale)
    } catch (error) {
      throw notNow(error)
    }
  }

  #checkTerms(found: ChannelOnChain, account: AccountRecord, signer: Hex): void {
    const { minSettleDelaySeconds } = this.#core.settings
    if (found.token !== account.token) {
      throw new MessageRefusedError('wrong-token', `this account settles in ${account.token}`)
    }
    if (found.signer !== signer) {
      throw new MessageRefusedError('wrong-signer', "the channel's key is not that of the hello")
    }
    if (found.settleDelay < minSettleDelaySeconds) {
      throw new MessageRefusedError('delay-too-short', `the delay must be ${minSettleDelaySeconds} s or more`)
    }
  }
}

export function closing(): MessageRefusedError {
  return new MessageRefusedError('channel-closing', 'the channel is closing or closed: open another')
}

export function foreign(): MessageRefusedError {
  return new MessageRefusedError('channel-foreign', 'the channel belongs to another account')
}

/** Nothing is wrong with the message: it may be repeated. */
export function tooOften(): MessageRefusedError {
  return new MessageRefusedError(
    'not-ready',
    'too many messages that the chain must be asked for: try again later',
  )
}

/** The node's own view is missing, or the chain's, which the caller turns into a refusal too. */
export function notNow(error: unknown): unknown {
  if (error instanceof ChainError) return error
  return new MessageRefusedError('not-ready', `this side cannot look at its books now: ${String(error)}`)
}

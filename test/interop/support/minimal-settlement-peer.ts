import { randomBytes } from 'node:crypto'
import {
  bytesToHex,
  createPublicClient,
  createWalletClient,
  type Hex,
  http,
  parseEventLogs,
  recoverTypedDataAddress,
  zeroAddress,
} from 'viem'
import { privateKeyToAccount } from 'viem/accounts'
import { foundry } from 'viem/chains'
import { settlementChannelsAbi as abi } from '../../../settlement-engines/evm/contract/settlement-channels-abi.ts'

export type Json = Record<string, unknown>

/** A message that was not taken, with the code that goes back. */
export class Refusal extends Error {
  readonly code: string
  constructor(code: string) {
    super(`refused: ${code}`)
    this.code = code
  }
}

export interface MinimalPeerOptions {
  rpcUrl: string
  contract: Hex
  /** Private keys: of the account, and of the vouchers. */
  accountKey: Hex
  signerKey: Hex
  ilpAddress: string
  peerIlpAddress: string
}

interface Incoming {
  cumulative: bigint
  signature?: Hex
  signer: Hex
}

const HELLO = {
  Hello: [
    { name: 'account', type: 'address' },
    { name: 'signer', type: 'address' },
    { name: 'ilpAddress', type: 'string' },
    { name: 'peerIlpAddress', type: 'string' },
    { name: 'challenge', type: 'bytes32' },
  ],
} as const
const VOUCHER = {
  Voucher: [
    { name: 'channelId', type: 'bytes32' },
    { name: 'cumulative', type: 'uint256' },
  ],
} as const
/** Seconds. */
export const DELAY = 7_200
const MIN_DELAY = 900

/**
 * The other side of docs/settlement-protocol.md: raw JSON, viem, and the contract's ABI. It shares no code with the
 * engine, so that what the page does not say, or says wrongly, shows here.
 */
export class MinimalSettlementPeer {
  readonly options: MinimalPeerOptions
  readonly challenge = bytesToHex(randomBytes(32))
  /** Carries a message to the other side; rejects with a {@link Refusal} when it refuses. */
  carry: (message: Buffer) => Promise<Buffer> = () => Promise.reject(new Error('not connected'))
  /** Who the other side proved to be. */
  other: { account: Hex; signer: Hex } | undefined
  /** Channels that pay us. */
  readonly incoming = new Map<Hex, Incoming>()
  /** All that came in by vouchers. */
  credited = 0n
  /** Requests that were answered, newest last. */
  readonly heard: Json[] = []
  /** Changes an answer on its way out. */
  tamper: (type: string, answer: Json) => Json = (_, answer) => answer
  readonly #payments = new Set<Hex>()
  readonly #account
  readonly #signer
  readonly #reader
  readonly #wallet
  #requests = 0

  constructor(options: MinimalPeerOptions) {
    this.options = options
    this.#account = privateKeyToAccount(options.accountKey)
    this.#signer = privateKeyToAccount(options.signerKey)
    const transport = http(options.rpcUrl)
    this.#reader = createPublicClient({ chain: foundry, transport, pollingInterval: 20, cacheTime: 0 })
    this.#wallet = createWalletClient({ chain: foundry, transport, account: this.#account })
  }

  get address(): Hex {
    return this.#account.address.toLowerCase() as Hex
  }

  get signer(): Hex {
    return this.#signer.address.toLowerCase() as Hex
  }

  /** Sends a request as it is; the answer, or the code of the refusal. */
  async say(body: Json, head: Json = { v: 1 }): Promise<Json | string> {
    const id = `own-${++this.#requests}`
    const answer = await this.sayRaw(JSON.stringify({ ...head, id, ...body }))
    if (typeof answer !== 'string' && (answer.v !== 1 || answer.id !== id)) throw new Error('not the answer')
    return answer
  }

  async sayRaw(text: string): Promise<Json | string> {
    try {
      return JSON.parse((await this.carry(Buffer.from(text))).toString()) as Json
    } catch (error) {
      if (error instanceof Refusal) return error.code
      throw error
    }
  }

  /** The fields of a hello. `signed` changes what the proof covers, too; `said` only what stands in the message. */
  async helloBody(signed: Json = {}, said: Json = {}): Promise<Json> {
    const asked = (await this.say({ type: 'challenge' })) as { challenge: Hex }
    const identity = await this.#identity(asked.challenge, signed)
    return { type: 'hello', ...identity, yourChallenge: this.challenge, ...said }
  }

  /** Both sides learn who the other is. */
  async hello(): Promise<Json> {
    const answer = await this.say(await this.helloBody())
    if (typeof answer === 'string') throw new Refusal(answer)
    await this.#check(answer)
    return answer
  }

  /** Opens a channel to the other side on the chain. */
  async open(amount: bigint, change: Json = {}): Promise<Hex> {
    const salt = bytesToHex(randomBytes(32))
    const payee = this.other?.account ?? zeroAddress
    const terms = { payee, token: zeroAddress, signer: this.signer, settleDelay: DELAY, salt, ...change }
    const receipt = await this.#sent(
      this.#wallet.writeContract({
        abi,
        address: this.options.contract,
        functionName: 'open',
        args: [terms, amount],
        value: terms.token === zeroAddress ? amount : 0n,
      }),
    )
    const [opened] = parseEventLogs({ abi, logs: receipt.logs, eventName: 'ChannelOpened' })
    return opened!.args.id
  }

  async requestCloseOnChain(id: Hex): Promise<void> {
    const { contract: address } = this.options
    const call = { abi, address, functionName: 'requestClose', args: [id] } as const
    await this.#sent(this.#wallet.writeContract(call))
  }

  async voucher(
    channelId: Hex,
    cumulative: bigint,
    change: { chainId?: number; contract?: Hex; key?: Hex; signedChannel?: Hex } = {},
  ): Promise<Json> {
    const { chainId = foundry.id, contract: verifyingContract = this.options.contract } = change
    const key = change.key === undefined ? this.#signer : privateKeyToAccount(change.key)
    const signature = await key.signTypedData({
      domain: { name: 'Causeway Settlement Channels', version: '1', chainId, verifyingContract },
      types: VOUCHER,
      primaryType: 'Voucher',
      message: { channelId: change.signedChannel ?? channelId, cumulative },
    })
    return { type: 'claim', channelId, cumulative: String(cumulative), signature }
  }

  async channelOnChain(id: Hex, blockTag: 'latest' | 'finalized' = 'latest') {
    return await this.#reader.readContract({
      abi,
      address: this.options.contract,
      functionName: 'channelOf',
      args: [id],
      blockTag,
    })
  }

  /** A plain transfer of the native coin. @returns the transaction */
  async pay(to: Hex, value: bigint): Promise<Hex> {
    return (await this.#sent(this.#wallet.sendTransaction({ to, value }))).transactionHash
  }

  /** Hands the best voucher of a channel in. */
  async claimOnChain(id: Hex): Promise<void> {
    const { cumulative, signature } = this.incoming.get(id)!
    const args = [id, cumulative, signature!] as const
    const { contract: address } = this.options
    await this.#sent(this.#wallet.writeContract({ abi, address, functionName: 'claim', args }))
  }

  /** The answer to a request of the other side. @throws Refusal */
  async answer(message: Buffer): Promise<Buffer> {
    const request = JSON.parse(message.toString()) as Json & { type: string; id: string }
    if (request.v !== 1) throw new Refusal('unsupported-version')
    this.heard.push(request)
    const body = this.tamper(request.type, await this.#answerTo(request))
    return Buffer.from(JSON.stringify({ v: 1, id: request.id, ...body }))
  }

  async #answerTo(request: Json & { type: string }): Promise<Json> {
    if (request.type === 'challenge') return { challenge: this.challenge }
    if (request.type === 'hello') {
      await this.#check(request)
      return await this.#identity(request.yourChallenge as Hex, {})
    }
    if (this.other === undefined) throw new Refusal('unknown-peer')
    if (request.type === 'state') return { channels: this.#state() }
    if (request.type === 'payment') return await this.#hearPayment(request.hash as Hex)
    const id = request.channelId as Hex
    switch (request.type) {
      case 'channel': {
        const { deposited } = await this.#accept(id)
        return {
          channelId: id,
          deposited: String(deposited),
          cumulative: String(this.incoming.get(id)!.cumulative),
        }
      }
      case 'claim':
        return { channelId: id, cumulative: String(await this.#take(request)) }
      case 'requestClose':
        await this.#close(id)
        return { channelId: id }
      default:
        throw new Refusal('bad-message')
    }
  }

  #state(): Json[] {
    return [...this.incoming].map(([channelId, { cumulative, signature }]) => ({
      channelId,
      cumulative: String(cumulative),
      ...(signature === undefined ? {} : { signature }),
    }))
  }

  async #accept(id: Hex): Promise<{ deposited: bigint }> {
    const found = await this.channelOnChain(id, 'finalized')
    const newest = await this.channelOnChain(id)
    const { account, signer } = this.other!
    if (found.payer === zeroAddress) throw new Refusal('channel-unknown')
    if (newest.closeAt !== 0n) throw new Refusal('channel-closing')
    if (found.payer.toLowerCase() !== account || found.payee.toLowerCase() !== this.address) {
      throw new Refusal('channel-foreign')
    }
    if (found.signer.toLowerCase() !== signer) throw new Refusal('wrong-signer')
    if (found.settleDelay < MIN_DELAY) throw new Refusal('delay-too-short')
    if (!this.incoming.has(id)) this.incoming.set(id, { cumulative: found.claimed, signer })
    return found
  }

  async #take(request: Json): Promise<bigint> {
    const id = request.channelId as Hex
    const cumulative = BigInt(request.cumulative as string)
    const signature = request.signature as Hex
    const { deposited } = await this.#accept(id)
    const channel = this.incoming.get(id)!
    const found = await recoverTypedDataAddress({
      domain: this.#domain('Causeway Settlement Channels'),
      types: VOUCHER,
      primaryType: 'Voucher',
      message: { channelId: id, cumulative },
      signature,
    })
    if (found.toLowerCase() !== channel.signer) throw new Refusal('bad-signature')
    if (cumulative === channel.cumulative) return cumulative
    if (cumulative < channel.cumulative) throw new Refusal('stale-voucher')
    if (cumulative > deposited) throw new Refusal('above-deposit')
    this.credited += cumulative - channel.cumulative
    this.incoming.set(id, { ...channel, cumulative, signature })
    return cumulative
  }

  async #close(id: Hex): Promise<void> {
    const channel = this.incoming.get(id)
    if (channel === undefined) throw new Refusal('channel-unknown')
    const { cumulative, signature } = channel
    const { contract: address } = this.options
    await this.#sent(
      signature === undefined
        ? this.#wallet.writeContract({ abi, address, functionName: 'close', args: [id] })
        : this.#wallet.writeContract({
            abi,
            address,
            functionName: 'closeWithVoucher',
            args: [id, cumulative, signature],
          }),
    )
  }

  async #hearPayment(hash: Hex): Promise<Json> {
    const final = await this.#reader.getBlock({ blockTag: 'finalized' })
    const receipt = await this.#reader.getTransactionReceipt({ hash }).catch(() => undefined)
    if (receipt === undefined || receipt.blockNumber > final.number) throw new Refusal('payment-unknown')
    const { from, to, value } = await this.#reader.getTransaction({ hash })
    if (
      receipt.status !== 'success' ||
      from.toLowerCase() !== this.other!.account ||
      to?.toLowerCase() !== this.address
    ) {
      throw new Refusal('payment-foreign')
    }
    if (!this.#payments.has(hash)) this.credited += value
    this.#payments.add(hash)
    return { hash, amount: String(value) }
  }

  async #identity(challenge: Hex, change: Json): Promise<Json> {
    const { ilpAddress, peerIlpAddress } = this.options
    const { address: account } = this
    const identity = { account, signer: this.signer, ilpAddress, peerIlpAddress, challenge, ...change }
    const proof = await this.#account.signTypedData({
      domain: this.#domain('Causeway Settlement Peer'),
      types: HELLO,
      primaryType: 'Hello',
      message: identity,
    })
    return {
      chainId: foundry.id,
      contract: this.options.contract,
      minSettleDelay: MIN_DELAY,
      ...identity,
      proof,
    }
  }

  /** A hello of the other side, or its answer to ours. */
  async #check(hello: Json): Promise<void> {
    const { account, signer, ilpAddress, peerIlpAddress, challenge } = hello as Record<string, string> as {
      account: Hex
      signer: Hex
      ilpAddress: string
      peerIlpAddress: string
      challenge: Hex
    }
    if (hello.chainId !== foundry.id) throw new Refusal('wrong-chain')
    if (hello.contract !== this.options.contract) throw new Refusal('wrong-contract')
    if (challenge !== this.challenge) throw new Refusal('bad-challenge')
    const found = await recoverTypedDataAddress({
      domain: this.#domain('Causeway Settlement Peer'),
      types: HELLO,
      primaryType: 'Hello',
      message: { account, signer, ilpAddress, peerIlpAddress, challenge },
      signature: hello.proof as Hex,
    })
    if (found.toLowerCase() !== account) throw new Refusal('bad-proof')
    this.other = { account, signer }
  }

  #domain(name: string) {
    return { name, version: '1', chainId: foundry.id, verifyingContract: this.options.contract }
  }

  async #sent(sending: Promise<Hex>) {
    const receipt = await this.#reader.waitForTransactionReceipt({ hash: await sending })
    if (receipt.status !== 'success') throw new Error('the transaction was reverted')
    return receipt
  }
}

import {
  type Abi,
  type Address,
  BaseError,
  ContractFunctionRevertedError,
  createTestClient,
  encodeAbiParameters,
  encodeDeployData,
  getAddress,
  getContract,
  type Hash,
  type Hex,
  http,
  keccak256,
  parseAbiParameters,
  parseEther,
  parseEventLogs,
  publicActions,
  stringToHex,
  type TransactionReceipt,
  walletActions,
  zeroAddress,
} from 'viem'
import { type PrivateKeyAccount, privateKeyToAccount } from 'viem/accounts'
import { anvil } from 'viem/chains'
import artifact from '../../../settlement-engines/evm/contract/settlement-channels.json' with { type: 'json' }
import { settlementChannelsAbi } from '../../../settlement-engines/evm/contract/settlement-channels-abi.ts'
import { Anvil } from '../../support/anvil.ts'
import testContracts from '../../support/contracts/test-contracts.json' with { type: 'json' }

export type TestContractName = keyof typeof testContracts.contracts
export type TestAccount = PrivateKeyAccount

export interface Terms {
  payee: Address
  token: Address
  signer: Address
  settleDelay: number
  salt: Hex
}

export const DAY_S = 86_400
/** Enough for everything here; given so that the node need not estimate. */
export const GAS = 3_000_000n

const VOUCHER = {
  Voucher: [
    { name: 'channelId', type: 'bytes32' },
    { name: 'cumulative', type: 'uint256' },
  ],
} as const

/** A chain with the contract on it, and the three parties of a channel. */
export class ChannelsChain {
  readonly payer = keyOf('payer')
  readonly payee = keyOf('payee')
  readonly signer = keyOf('signer')
  readonly stranger = keyOf('stranger')
  readonly client: ReturnType<typeof connect>
  readonly channels: ReturnType<typeof contractAt>
  readonly deployment: TransactionReceipt
  readonly #node: Anvil
  #salts = 0

  private constructor(
    node: Anvil,
    client: ReturnType<typeof connect>,
    channels: ReturnType<typeof contractAt>,
    deployment: TransactionReceipt,
  ) {
    this.#node = node
    this.client = client
    this.channels = channels
    this.deployment = deployment
  }

  static async start(): Promise<ChannelsChain> {
    const node = await Anvil.start()
    // Lets every address send, contracts too.
    await node.rpc('anvil_autoImpersonateAccount', true)
    const client = connect(node.url)
    const deployer = keyOf('deployer').address
    await client.setBalance({ address: deployer, value: parseEther('1000') })
    const hash = await client.sendTransaction({
      account: deployer,
      data: artifact.bytecode as Hex,
      gas: 5_000_000n,
    })
    const deployment = await client.waitForTransactionReceipt({ hash })
    const channels = contractAt(getAddress(deployment.contractAddress!), client)
    const chain = new ChannelsChain(node, client, channels, deployment)
    for (const { address } of [chain.payer, chain.payee, chain.signer, chain.stranger]) {
      await client.setBalance({ address, value: parseEther('1000') })
    }
    return chain
  }

  async stop(): Promise<void> {
    await this.#node.stop()
  }

  /** From now on gas costs nothing, for whoever offers nothing. */
  async makeGasFree(): Promise<void> {
    await this.#node.setNextBaseFee(0n)
  }

  /** A second contract of the same code. */
  async another(): Promise<ReturnType<typeof contractAt>> {
    const receipt = await this.#deploy(artifact.bytecode as Hex)
    return contractAt(getAddress(receipt.contractAddress!), this.client)
  }

  async deploy(name: TestContractName, args: readonly unknown[] = []): Promise<Address> {
    const { abi, bytecode } = testContracts.contracts[name]
    const data = encodeDeployData({ abi: abi as Abi, bytecode: bytecode as Hex, args })
    return getAddress((await this.#deploy(data)).contractAddress!)
  }

  async #deploy(data: Hex): Promise<TransactionReceipt> {
    return await this.mined(
      this.client.sendTransaction({ account: keyOf('deployer').address, data, gas: 5_000_000n }),
    )
  }

  /** Calls a test contract and waits for the block. */
  async call(
    from: Address,
    name: TestContractName,
    address: Address,
    functionName: string,
    args: readonly unknown[] = [],
    value = 0n,
  ): Promise<TransactionReceipt> {
    const abi = testContracts.contracts[name].abi as Abi
    return await this.mined(
      this.client.writeContract({ account: from, address, abi, functionName, args, value, gas: GAS }),
    )
  }

  async look<T>(
    name: TestContractName,
    address: Address,
    functionName: string,
    args: readonly unknown[] = [],
  ): Promise<T> {
    const abi = testContracts.contracts[name].abi as Abi
    return (await this.client.readContract({ address, abi, functionName, args })) as T
  }

  /** Mints to the payer, with an allowance for the contract where one is asked for. */
  async endow(name: TestContractName, token: Address, amount: bigint, allowance = amount): Promise<void> {
    await this.call(this.payer.address, name, token, 'mint', [this.payer.address, amount])
    if (allowance > 0n) {
      await this.call(this.payer.address, name, token, 'approve', [this.channels.address, allowance])
    }
  }

  /** Terms of a new channel: native coin, a day to settle. */
  terms(changes: Partial<Terms> = {}): Terms {
    this.#salts++
    return {
      payee: this.payee.address,
      token: zeroAddress,
      signer: this.signer.address,
      settleDelay: DAY_S,
      salt: keccak256(stringToHex(`salt ${this.#salts}`)),
      ...changes,
    }
  }

  /** Opens a channel as the payer and tells its id. */
  async open(amount: bigint, changes: Partial<Terms> = {}): Promise<Hex> {
    const terms = this.terms(changes)
    const value = terms.token === zeroAddress ? amount : 0n
    await this.mined(
      this.channels.write.open([terms, amount], { account: this.payer.address, value, gas: GAS }),
    )
    return await this.channels.read.channelId([this.payer.address, terms])
  }

  async voucher(id: Hex, cumulative: bigint, signer: TestAccount = this.signer): Promise<Hex> {
    return await signer.signTypedData(voucherTypedData(this.channels.address, id, cumulative))
  }

  async claim(
    id: Hex,
    cumulative: bigint,
    from: Address = this.stranger.address,
  ): Promise<TransactionReceipt> {
    const signature = await this.voucher(id, cumulative)
    return await this.mined(
      this.channels.write.claim([id, cumulative, signature], { account: from, gas: GAS }),
    )
  }

  /** The receipt of a transaction that went through. */
  async mined(sending: Promise<Hash>): Promise<TransactionReceipt> {
    const receipt = await this.client.waitForTransactionReceipt({ hash: await sending })
    if (receipt.status !== 'success') throw new Error(`transaction ${receipt.transactionHash} was reverted`)
    return receipt
  }

  /** The name of the custom error that a simulated call ends with. */
  async refusal(simulating: Promise<unknown>): Promise<string> {
    try {
      await simulating
    } catch (error) {
      const reverted =
        error instanceof BaseError && error.walk((part) => part instanceof ContractFunctionRevertedError)
      if (!(reverted instanceof ContractFunctionRevertedError)) throw error
      return reverted.data?.errorName ?? reverted.signature ?? reverted.reason ?? 'no reason'
    }
    throw new Error('the call was not refused')
  }

  /** The contract's own events in a receipt: name and arguments. */
  events(receipt: TransactionReceipt): { eventName: string; args: Record<string, unknown> }[] {
    const logs = receipt.logs.filter(
      (log) => log.address.toLowerCase() === this.channels.address.toLowerCase(),
    )
    return parseEventLogs({ abi: settlementChannelsAbi, logs }).map(({ eventName, args }) => ({
      eventName,
      args: args as Record<string, unknown>,
    }))
  }

  async balance(account: Address, token: Address = zeroAddress): Promise<bigint> {
    if (token === zeroAddress) return await this.client.getBalance({ address: account })
    return await this.look<bigint>('TestToken', token, 'balanceOf', [account])
  }

  /** Lets chain time pass. */
  async pass(seconds: number): Promise<void> {
    await this.client.increaseTime({ seconds })
    await this.client.mine({ blocks: 1 })
  }

  async now(): Promise<bigint> {
    return (await this.client.getBlock()).timestamp
  }
}

export function voucherTypedData(contract: Address, id: Hex, cumulative: bigint, chainId: number = anvil.id) {
  return {
    domain: { name: 'Causeway Settlement Channels', version: '1', chainId, verifyingContract: contract },
    types: VOUCHER,
    primaryType: 'Voucher',
    message: { channelId: id, cumulative },
  } as const
}

/** What the contract's `channelId` must tell. */
export function channelIdOf(contract: Address, payer: Address, terms: Terms): Hex {
  return keccak256(
    encodeAbiParameters(
      parseAbiParameters('uint256, address, address, address, address, address, uint32, bytes32'),
      [
        BigInt(anvil.id),
        contract,
        payer,
        terms.payee,
        terms.token,
        terms.signer,
        terms.settleDelay,
        terms.salt,
      ],
    ),
  )
}

/** A key that belongs to the name. */
export function keyOf(name: string): TestAccount {
  return privateKeyToAccount(keccak256(stringToHex(name)))
}

function connect(url: string) {
  return createTestClient({
    mode: 'anvil',
    chain: anvil,
    transport: http(url, { retryCount: 0 }),
    pollingInterval: 5,
    cacheTime: 0,
  })
    .extend(publicActions)
    .extend(walletActions)
}

function contractAt(address: Address, client: ReturnType<typeof connect>) {
  return getContract({ address, abi: settlementChannelsAbi, client })
}

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Hex } from 'viem'
import { generatePrivateKey } from 'viem/accounts'
import { SigningKey } from '../../../settlement-engines/evm/signing-key.ts'
import type {
  LocalAccountView,
  PaymentChannelView,
  PaymentView,
  PeerView,
  SettlementAccountView,
  SettlementView,
} from '../../admin/services.ts'
import { CliError } from '../cli-error.ts'
import type { CliIo } from '../cli-io.ts'
import { waitUntil } from '../demo-node.ts'
import { deployContract } from '../evm/deploy-contract.ts'
import { ExitCode } from '../exit-code.ts'
import { formatMoney } from '../format-amount.ts'
import { Output } from '../output.ts'
import { processIo } from '../process-io.ts'
import { DemoChain } from './demo-chain.ts'
import { renderReport, reportJson } from './render-report.ts'
import { checkBooks, readBooks, readChain } from './settle-books.ts'
import { ACCOUNTS, createSides, type Side, TOKEN_SCALE, USD } from './settle-nodes.ts'

const ETHER = 10n ** 18n
const GWEI = 10n ** 9n
const DEPLOY_WAIT_MS = 60_000
const PAYMENT_DEADLINE_MS = 60_000
const SETTLE_DEADLINE_MS = 60_000
const POLL_MS = 300
/** Less than this of a balance cannot be told in tokens. */
const TOKEN_UNIT = 10n ** BigInt(USD.scale - TOKEN_SCALE)
/** States in which a settlement stays. */
const ENDED: ReadonlySet<string> = new Set(['settled', 'refused', 'booked'])

interface Parts {
  io: CliIo
  output: Output
  directory: string
  /** Stopped at the end, the last one first. */
  started: { stop(): Promise<void> }[]
}

/**
 * Two nodes as two processes that settle with each other on a chain of their own: payments both ways, vouchers, a claim
 * and a close on the chain. Afterwards ledgers, journals, channels and chain must agree to the last unit.
 */
export async function runSettleDemo(options: { json: boolean }): Promise<number> {
  const io = processIo()
  const output = new Output(io, options.json)
  const directory = mkdtempSync(join(tmpdir(), 'causeway-demo-'))
  const parts: Parts = { io, output, directory, started: [] }
  const interrupted = new Promise<never>((_, reject) => {
    io.interrupted.addEventListener('abort', () => reject(new CliError(ExitCode.interrupted, 'stopped')))
  })
  try {
    return await Promise.race([play(parts), interrupted])
  } finally {
    for (const part of parts.started.reverse()) await part.stop()
    rmSync(directory, { recursive: true, force: true })
  }
}

async function play({ directory, io, output, started }: Parts): Promise<number> {
  output.note('Causeway demo: two nodes on this machine that settle with each other on an EVM chain.\n\n')
  const chain = await DemoChain.start()
  started.push(chain)
  const contract = await deploy(chain, io, output)
  const token = await chain.deployToken(TOKEN_SCALE)
  output.note(`  token        ${token}   USD, ${TOKEN_SCALE} decimals\n`)
  const [north, south] = await createSides(directory, chain, { contract, token })
  const sides = [north, south]
  started.push(north.node, south.node)
  await Promise.all(sides.map(({ node }) => node.start()))
  for (const { address, name } of sides) output.note(`  node ${name}   ${address}\n`)
  await connected(sides)
  output.note('\n  alice ── north ══ USD, settled on the chain ══ south ── bob\n\n')

  await pay(north, south, '25123456789', output)
  await settleRest(sides)
  await pay(south, north, '10987654321', output)
  await settleRest(sides)
  output.note(`vouchers have moved: ${await describeVouchers(sides)}\n`)
  await claim(north, south)
  output.note('south has handed in its best voucher: the claim is on the chain\n')
  await pay(north, south, '3000000001', output)
  await settleRest(sides)
  await close(south, north)
  output.note('north has closed the channel in which south pays: the rest went back to south\n\n')

  const books = [await readBooks(north, chain), await readBooks(south, chain)] as const
  const chainBooks = await readChain(books, chain, contract)
  const checks = checkBooks(books, chainBooks)
  const found = { books, chain: chainBooks, checks }
  if (output.json) output.event(reportJson(found), () => '')
  else output.result(undefined, () => renderReport(found))
  return checks.every(({ holds }) => holds) ? ExitCode.ok : ExitCode.failed
}

async function deploy(chain: DemoChain, io: CliIo, output: Output): Promise<Hex> {
  const key = new SigningKey(generatePrivateKey())
  await chain.fund(key.address, ETHER)
  const deployed = await deployContract(
    {
      rpcUrl: chain.url,
      chainId: chain.chainId,
      maxFeePerGas: 500n * GWEI,
      finality: { kind: 'finalized' },
      waitMs: DEPLOY_WAIT_MS,
      withoutProxy: false,
    },
    // Blocks come faster than elsewhere.
    { ...io, key, sleep: (_, signal) => io.sleep(POLL_MS, signal), note: () => undefined },
  )
  output.note(`  contract     ${deployed.contract}   SettlementChannels, ${deployed.gasUsed} gas\n`)
  return deployed.contract as Hex
}

async function connected(sides: readonly Side[]): Promise<void> {
  await until('the nodes are connected and their engines run', sides, async ({ node }) => {
    const [peer] = await node.client.get<PeerView[]>('/peers')
    const [account] = await node.client.get<SettlementAccountView[]>('/settlements/accounts')
    return peer?.link.connected === true && account?.engineRunning === true
  })
}

async function pay(from: Side, to: Side, amount: string, output: Output): Promise<void> {
  const { client } = from.node
  const [receiver] = await to.node.client.get<LocalAccountView[]>('/local-accounts')
  const body = { fromAccount: ACCOUNTS[from.name], destination: receiver!.spspUrl, amount }
  let payment = await client.call<PaymentView>('POST', '/payments', { body })
  await waitUntil(
    'the payment has ended',
    PAYMENT_DEADLINE_MS,
    async () => {
      payment = await client.get<PaymentView>(`/payments/${payment.id}`)
      return payment.state !== 'running'
    },
    POLL_MS,
  )
  const text = `${ACCOUNTS[from.name]} pays ${ACCOUNTS[to.name]} ${formatMoney(amount, USD.scale, USD.code)}`
  if (payment.state !== 'completed' || payment.delivered !== amount) {
    throw new Error(`${text}: ${payment.state}, ${payment.delivered} delivered. ${payment.message ?? ''}`)
  }
  output.note(`${text}\n`)
}

/** Settles what the thresholds have left, until no side owes the other a whole unit of the token. */
async function settleRest(sides: readonly Side[]): Promise<void> {
  await until('everything is settled', sides, async (side) => {
    const { client } = side.node
    const settlements = await client.get<SettlementView[]>('/settlements', { limit: '1000' })
    if (settlements.some(({ state }) => !ENDED.has(state))) return false
    const [peer] = await client.get<PeerView[]>('/peers')
    const balance = BigInt(peer!.balance)
    if (balance < TOKEN_UNIT) return balance > -TOKEN_UNIT
    try {
      await client.call('POST', `/settlements/accounts/${side.peer}/settle-now`, { body: {} })
    } catch (error) {
      // The threshold was faster.
      if (!(error instanceof CliError && error.exitCode === ExitCode.refused)) throw error
    }
    return false
  })
}

async function describeVouchers(sides: readonly Side[]): Promise<string> {
  const texts = sides.map(async ({ name, node }) => {
    const outgoing = (await channelsOf(node.client)).filter(({ direction }) => direction === 'out')
    const sum = outgoing.reduce(
      (total, { claimed, unclaimed }) => total + BigInt(claimed) + BigInt(unclaimed),
      0n,
    )
    return `${name} has signed for ${formatMoney(String(sum), TOKEN_SCALE, USD.code)}`
  })
  return (await Promise.all(texts)).join(', ')
}

/** The payee hands in its voucher; done when both sides have seen it in a final block. */
async function claim(payer: Side, payee: Side): Promise<void> {
  const channel = await channelTo(payee)
  await payee.node.client.call('POST', `/channels/${channel.id}/claim`)
  await until('the claim is final', [payer, payee], async ({ node }) => {
    const { claimed, unclaimed } = await channelById(node, channel.id)
    return BigInt(claimed) > 0n && unclaimed === '0'
  })
}

/** The payee closes the channel with its voucher; the rest goes back to the payer. */
async function close(payer: Side, payee: Side): Promise<void> {
  const channel = await channelTo(payee)
  await payee.node.client.call('POST', `/channels/${channel.id}/close`)
  await until('the close is final', [payer, payee], async ({ node }) => {
    return (await channelById(node, channel.id)).state === 'closed'
  })
}

/** The channel in which a side is paid. */
async function channelTo({ name, node }: Side): Promise<PaymentChannelView> {
  const incoming = (await channelsOf(node.client)).filter(({ direction }) => direction === 'in')
  if (incoming.length === 1) return incoming[0]!
  throw new Error(`${name} is paid in ${incoming.length} channels, not in one`)
}

async function channelById(node: Side['node'], id: string): Promise<PaymentChannelView> {
  return await node.client.get<PaymentChannelView>(`/channels/${id}`)
}

async function channelsOf(client: Side['node']['client']): Promise<PaymentChannelView[]> {
  return await client.get<PaymentChannelView[]>('/channels')
}

async function until(
  what: string,
  sides: readonly Side[],
  holds: (side: Side) => Promise<boolean>,
): Promise<void> {
  const all = async () => (await Promise.all(sides.map(holds))).every((one) => one)
  await waitUntil(what, SETTLE_DEADLINE_MS, all, POLL_MS)
}

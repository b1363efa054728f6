import { performance } from 'node:perf_hooks'
import { type Hex, hashTypedData } from 'viem'
import { isVoucherOf, signVoucher, type Voucher } from '../settlement-engines/evm/engine/voucher.ts'
import { recoverAddress } from '../settlement-engines/evm/recover-address.ts'
import { SigningKey } from '../settlement-engines/evm/signing-key.ts'
import { EngineChain, EnginePair } from '../test/unit/evm-engine/engine-pair.ts'

/**
 * Vouchers per second on one core, and their CPU: what a payee does for each, and the parts of it. A real engine and
 * chain; the payer's signatures are made before. `node bench/vouchers.ts [vouchers per round]`.
 */
const COUNT = Number(process.argv[2] ?? 1_000)
const ROUNDS = 3
const DEPOSIT = 10n ** 12n

type Signed = Voucher & { signature: Hex }

interface Result {
  readonly wallUs: number
  readonly cpuUs: number
}

async function measure(work: (voucher: Signed) => Promise<unknown>, vouchers: Signed[]): Promise<Result> {
  const cpu = process.cpuUsage()
  const from = performance.now()
  for (const voucher of vouchers) await work(voucher)
  const wallMs = performance.now() - from
  const { system, user } = process.cpuUsage(cpu)
  return { wallUs: (wallMs * 1_000) / vouchers.length, cpuUs: (user + system) / vouchers.length }
}

const chain = await EngineChain.start()
const bounds = {
  deposit: String(DEPOSIT),
  maxDepositPerChannel: String(DEPOSIT),
  totalBudget: String(DEPOSIT),
}
const assets = { ETH: { token: 'native', claimAtValue: String(DEPOSIT), ...bounds } }
const pair = await EnginePair.start(chain, { payer: { assets }, payee: { assets } })
try {
  await run(pair)
} finally {
  await pair.stop()
  await chain.anvil.stop()
}

async function run({ payee, payer }: EnginePair): Promise<void> {
  await payer.settle('first', 1n)
  await pair.until('a channel', () => payer.ends.get('first') === 'settled')
  const channelId = payer.engine.channels()[0]!.id as Hex
  const domain = { chainId: chain.anvil.chainId, contract: chain.contract.toLowerCase() as Hex }
  const key = new SigningKey(payer.claimKey)
  let cumulative = 1n
  const results = new Map<string, Result[]>()
  const note = (name: string, result: Result) => results.set(name, [...(results.get(name) ?? []), result])
  for (let round = 0; round < ROUNDS; round++) {
    const vouchers: Signed[] = []
    for (let index = 0; index < COUNT; index++) {
      vouchers.push({ channelId, cumulative: ++cumulative, signature: '0x' })
    }
    note(
      'sign a voucher',
      await measure(async (voucher) => {
        Object.assign(voucher, { signature: await signVoucher(key, domain, voucher) })
      }, vouchers),
    )
    const digests = new Map(vouchers.map((voucher) => [voucher, digestOf(domain, voucher)]))
    note(
      'recover the key (secp256k1 alone)',
      await measure(async (voucher) => recoverAddress(digests.get(voucher)!, voucher.signature), vouchers),
    )
    note(
      'check a signature (EIP-712 and secp256k1)',
      await measure(async (voucher) => {
        if (!isVoucherOf(key.address, domain, voucher, voucher.signature)) throw new Error('bad')
      }, vouchers),
    )
    note(
      'take a voucher (parse, check, store durably, answer)',
      await measure(async ({ signature, ...voucher }) => {
        const claim = { v: 1, id: '1', type: 'claim', ...voucher, signature }
        const message = JSON.stringify({ ...claim, cumulative: String(voucher.cumulative) })
        await payee.engine.receive('peer', Buffer.from(message))
      }, vouchers),
    )
  }
  await pair.until('all is credited', () => payee.creditedSum === cumulative)
  console.log(`${COUNT} vouchers a round, best of ${ROUNDS} rounds by CPU`)
  for (const [name, all] of results) {
    const { cpuUs, wallUs } = all.toSorted((a, b) => a.cpuUs - b.cpuUs)[0]!
    const figures = [`${cpuUs.toFixed(0)} us CPU`, `${(1e6 / cpuUs).toFixed(0)}/s on one core`]
    console.log([name, ...figures, `${wallUs.toFixed(0)} us from begin to end`].join('\t'))
  }
}

function digestOf(domain: { chainId: number; contract: Hex }, message: Voucher): Hex {
  const { chainId, contract: verifyingContract } = domain
  return hashTypedData({
    domain: { name: 'Causeway Settlement Channels', version: '1', chainId, verifyingContract },
    types: {
      Voucher: [
        { name: 'channelId', type: 'bytes32' },
        { name: 'cumulative', type: 'uint256' },
      ],
    },
    primaryType: 'Voucher',
    message: { ...message },
  })
}

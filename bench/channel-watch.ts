import { EngineChain, EnginePair, type Side } from '../test/unit/evm-engine/engine-pair.ts'

/**
 * What watching a channel in which nothing happens costs its payer and its payee: the CPU of a round with channels above
 * that of one without. Real engines, chain and channels. `node bench/channel-watch.ts`.
 */
const ROUNDS = 400
/** As many as an account may have at a time, as payee. */
const CHANNELS = 16
const DEPOSIT = 1_000n

const chain = await EngineChain.start()
const bounds = {
  deposit: String(DEPOSIT),
  maxDepositPerChannel: String(DEPOSIT),
  totalBudget: String(DEPOSIT * BigInt(CHANNELS)),
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
  const sides = { payer, payee }
  const without = { payer: await cheapestUs(payer), payee: await cheapestUs(payee) }
  for (let count = 0; count < CHANNELS; count++) await payer.engine.operations.open('peer', DEPOSIT)
  await pair.until('all are open', () => payer.engine.channels().every(({ state }) => state === 'open'))
  for (const { id } of payer.engine.channels()) {
    const message = { v: 1, id: '1', type: 'channel', channelId: id }
    await payee.engine.receive('peer', Buffer.from(JSON.stringify(message)))
  }
  console.log(`${CHANNELS} channels, best of ${ROUNDS} rounds by CPU`)
  for (const side of ['payer', 'payee'] as const) {
    const perChannelUs = ((await cheapestUs(sides[side])) - without[side]) / CHANNELS
    console.log(`${side}\t${perChannelUs.toFixed(0)} us CPU per channel and round`)
  }
}

async function cheapestUs({ engine }: Side): Promise<number> {
  const rounds: number[] = []
  for (let round = 0; round < ROUNDS; round++) {
    const from = process.cpuUsage()
    await engine.tick()
    const { system, user } = process.cpuUsage(from)
    rounds.push(user + system)
  }
  return Math.min(...rounds)
}

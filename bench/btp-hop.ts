/**
 * One hop over BTP: this process is payer and payee, the connector is a process of its own with the sqlite ledger and
 * every limit on. Closed loop; every packet has one of 4,096 preimages and is verified by the connector.
 *
 *     npx node bench/btp-hop.ts [packets in flight] [seconds] [after-commit|immediately]
 */
import { createHash, randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'
import { createPlugin } from '../plugins/btp/plugin.ts'
import { encodeFulfill, encodePrepare } from '../src/ilp/encode-packet.ts'
import { PacketType } from '../src/ilp/packet-view.ts'
import { systemClock } from '../src/lib/clock.ts'
import { silentLogger } from '../src/lib/logger.ts'
import type { LinkReceiver } from '../src/peers/link.ts'
import { freePort } from '../test/support/free-port.ts'
import { NodeProcess } from '../test/support/node-process.ts'
import { waitFor } from '../test/support/wait-for.ts'

const [windowText = '512', secondsText = '10', relay = 'after-commit'] = process.argv.slice(2)
const WINDOW = Number(windowText)
const SECONDS = Number(secondsText)
const WARM_UP_MS = 2_000
/** Packets prepared beforehand; the last bytes of each name its preimage. */
const PACKETS = 4_096
const DATA_BYTES = 256
/** `/proc` counts CPU time in hundredths of a second. */
const CPU_TICK_US = 10_000

const tokens = { payer: 'token-of-the-payer-0123', payee: 'token-of-the-payee-0123' }
const port = await freePort()
const peer = (id: keyof typeof tokens) => ({
  id,
  relation: 'child',
  asset: { code: 'USD', scale: 6 },
  creditLimit: '1000000000000000000',
  link: { plugin: 'btp', mode: 'server', token: `secret:${id}` },
  limits: { packetsPerSecond: 10_000_000, packetBurst: 10_000_000, packetsInFlight: 60_000 },
})
const listen = { host: '127.0.0.1', port }
const node = await NodeProcess.create(
  { plugins: { btp: { listen } }, ledger: { relay }, peers: [peer('payer'), peer('payee')] },
  tokens,
)
await node.start()

const preimages = Array.from({ length: PACKETS }, () => randomBytes(32))
const fulfills = preimages.map((preimage) => encodeFulfill(preimage, randomBytes(100)))
const prepares = preimages.map((preimage, index) => {
  const data = randomBytes(DATA_BYTES)
  data.writeUInt16BE(index, DATA_BYTES - 2)
  const condition = createHash('sha256').update(preimage).digest()
  return encodePrepare({
    amount: 100,
    expiresAtMs: Date.now() + 600_000,
    condition,
    destination: 'test.node.payee',
    data,
  })
})

let sent = 0
let answered = 0
let failed = 0
let running = true
const sentAt = new Float64Array(65_536)
const latencies: number[] = []

const quiet = { connected() {}, disconnected() {}, protocolError() {} }
const plugin = createPlugin({}, { clock: systemClock, logger: silentLogger, random: Math.random })
const open = (id: keyof typeof tokens, ears: Omit<LinkReceiver, keyof typeof quiet>) =>
  plugin.openLink({
    accountId: id,
    relation: 'parent',
    assetCode: 'USD',
    assetScale: 6,
    options: { mode: 'client', url: `ws://127.0.0.1:${port}`, token: tokens[id] },
    receiver: { ...quiet, ...ears },
  })
const payer = open('payer', {
  prepare() {},
  failed() {
    failed++
    answered++
  },
  reply(token, packet, start) {
    if (packet[start] !== PacketType.fulfill) failed++
    answered++
    if ((answered & 15) === 0) latencies.push(performance.now() - sentAt[token & 0xffff]!)
    send()
  },
})
const payee = open('payee', {
  failed() {},
  reply() {},
  prepare(handle, packet, _start, end) {
    const fulfill = fulfills[packet.readUInt16BE(end - 2)]!
    payee.sendReply(handle, fulfill, 0, fulfill.length)
  },
})

function send(): void {
  while (running && sent - answered < WINDOW) {
    const packet = prepares[sent % PACKETS]!
    sentAt[sent & 0xffff] = performance.now()
    payer.sendPrepare(sent++ >>> 0, packet, 0, packet.length, Date.now() + 60_000)
  }
}

function connectorCpuUs(): number {
  const fields = readFileSync(`/proc/${node.pid}/stat`, 'utf8').split(') ')[1]!.split(' ')
  return (Number(fields[11]) + Number(fields[12])) * CPU_TICK_US
}

await payer.start()
await payee.start()
await waitFor('both links are up', () => payer.connected && payee.connected)
send()
await delay(WARM_UP_MS)
latencies.length = 0
const before = { cpu: connectorCpuUs(), answered, at: performance.now() }
await delay(SECONDS * 1000)
const packets = answered - before.answered
const seconds = (performance.now() - before.at) / 1000
const cpuUs = connectorCpuUs() - before.cpu
running = false
await waitFor('every packet is answered', () => sent === answered)
latencies.sort((a, b) => a - b)
const quantile = (share: number) => latencies[Math.floor(latencies.length * share)]?.toFixed(2)
console.log(
  `${WINDOW} in flight, ${relay}: ${Math.round(packets / seconds)} packets/s, ` +
    `${(cpuUs / packets).toFixed(2)} us of connector CPU each, p50 ${quantile(0.5)} ms, p99 ${quantile(0.99)} ms, ${failed} failed`,
)
await plugin.stop()
await node.destroy()

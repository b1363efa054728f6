import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { LocalAccountView, NodeInfo, PaymentView, PeerView } from '../admin/services.ts'
import { generateToken } from '../config/generate-token.ts'
import { DemoNode, freePort, waitUntil } from './demo-node.ts'
import { ExitCode } from './exit-code.ts'
import { formatMoney } from './format-amount.ts'
import { Output } from './output.ts'
import { PaymentProgress } from './payment-progress.ts'
import { processIo } from './process-io.ts'
import { renderTable } from './table.ts'

const USD = { code: 'USD', scale: 9 }
const XRP = { code: 'XRP', scale: 6 }
/** 25 USD, in packets of at most 0.25 USD. */
const AMOUNT = '25000000000'
const PACKET_MAX = '250000000'
const PAYMENT_DEADLINE_MS = 60_000
const CONNECT_DEADLINE_MS = 30_000

interface Row {
  node: string
  account: string
  relation: string
  balance: bigint
  assetCode: string
  assetScale: number
}

interface Nodes {
  sender: DemoNode
  hub: DemoNode
  receiver: DemoNode
}

/** Three nodes as three processes, a STREAM payment across them in two assets, and the balances that it left. */
export async function runDemo(options: { json: boolean }): Promise<number> {
  const directory = mkdtempSync(join(tmpdir(), 'causeway-demo-'))
  const io = processIo()
  const output = new Output(io, options.json)
  const started: DemoNode[] = []
  try {
    output.note('Causeway demo: three nodes on this machine, a payment in USD that arrives in XRP.\n\n')
    const nodes = await createNodes(directory)
    for (const node of [nodes.hub, nodes.sender, nodes.receiver]) {
      started.push(node)
      await node.start()
      const { ilpAddress, listening } = await connected(node)
      output.note(`  node ${node.name.padEnd(9)} ${ilpAddress?.padEnd(20)} ${listening.join('  ')}\n`)
    }
    output.note(
      '\n  alice ── sender ══ USD ══ hub ══ XRP ══ receiver ── bob     (1 XRP = 0.5 USD, spread 0.2 %)\n\n',
    )
    const payment = await pay(nodes, output)
    const rows = await readBalances(nodes)
    const faults = checkSums(rows, payment)
    if (options.json)
      output.event({ event: 'completed', payment, balances: jsonRows(rows), faults }, () => '')
    else output.result(undefined, () => report(rows, payment, faults))
    return payment.state === 'completed' && faults.length === 0 ? ExitCode.ok : ExitCode.failed
  } finally {
    await Promise.all(started.map((node) => node.stop()))
    rmSync(directory, { recursive: true, force: true })
  }
}

async function createNodes(directory: string): Promise<Nodes> {
  const [hubPort, spspPort] = [await freePort(), await freePort()]
  const secrets = { sender: generateToken(), receiver: generateToken() }
  const listen = (port: number) => ({ listen: { host: '127.0.0.1', port } })
  const toHub = (name: 'sender' | 'receiver') => ({
    plugin: 'btp',
    mode: 'client',
    url: `ws://127.0.0.1:${hubPort}`,
    token: `secret:${name}`,
  })
  const fromHub = (name: string) => ({ plugin: 'btp', mode: 'server', token: `secret:${name}` })
  const credit = '100000000000'
  const hub = await DemoNode.create(
    'hub',
    directory,
    {
      node: { ilpAddress: 'test.hub' },
      plugins: { btp: listen(hubPort) },
      rates: { provider: 'fixed', base: 'USD', prices: { XRP: '0.5' } },
      peers: [
        {
          id: 'sender',
          relation: 'child',
          asset: USD,
          link: fromHub('sender'),
          creditLimit: credit,
          spread: '0.002',
          limits: { maxPacketAmount: PACKET_MAX },
        },
        { id: 'receiver', relation: 'child', asset: XRP, link: fromHub('receiver') },
      ],
    },
    secrets,
  )
  const sender = await DemoNode.create(
    'sender',
    directory,
    {
      peers: [{ id: 'hub', relation: 'parent', asset: USD, link: toHub('sender') }],
      accounts: [{ id: 'alice', asset: USD, creditLimit: credit }],
    },
    secrets,
  )
  const receiver = await DemoNode.create(
    'receiver',
    directory,
    {
      peers: [{ id: 'hub', relation: 'parent', asset: XRP, link: toHub('receiver'), creditLimit: credit }],
      accounts: [{ id: 'bob', asset: XRP }],
      spsp: listen(spspPort),
    },
    secrets,
  )
  return { sender, hub, receiver }
}

/** Waits until the node has its address: the children get theirs from the hub. */
async function connected(node: DemoNode): Promise<NodeInfo> {
  let info = await node.client.get<NodeInfo>('/node')
  await waitUntil(`${node.name} has an address`, CONNECT_DEADLINE_MS, async () => {
    info = await node.client.get<NodeInfo>('/node')
    return info.ilpAddress !== undefined
  })
  return info
}

async function pay(nodes: Nodes, output: Output): Promise<PaymentView> {
  const alice = await localAccount(nodes.sender)
  const bob = await localAccount(nodes.receiver)
  const request = { fromAccount: alice.id, destination: bob.spspUrl, amount: AMOUNT }
  let payment = await nodes.sender.client.call<PaymentView>('POST', '/payments', { body: request })
  const progress = new PaymentProgress(output, alice, () => Date.now())
  await waitUntil('the payment has ended', PAYMENT_DEADLINE_MS, async () => {
    payment = await nodes.sender.client.get<PaymentView>(`/payments/${payment.id}`)
    progress.show(payment)
    return payment.state !== 'running'
  })
  progress.end()
  return payment
}

async function localAccount(node: DemoNode): Promise<LocalAccountView> {
  let account: LocalAccountView | undefined
  await waitUntil(`${node.name} receives payments`, CONNECT_DEADLINE_MS, async () => {
    account = (await node.client.get<LocalAccountView[]>('/local-accounts'))[0]
    return account?.ilpAddress !== undefined
  })
  return account!
}

async function readBalances(nodes: Nodes): Promise<Row[]> {
  const rows: Row[] = []
  for (const node of [nodes.sender, nodes.hub, nodes.receiver]) {
    for (const peer of await node.client.list<PeerView>('/peers')) {
      const { id, relation, assetCode, assetScale } = peer
      rows.push({
        node: node.name,
        account: id,
        relation,
        balance: BigInt(peer.balance),
        assetCode,
        assetScale,
      })
    }
  }
  return rows
}

/** What must hold: the two sides of each link agree, and what was sent and delivered is what stands in the books. */
function checkSums(rows: Row[], payment: PaymentView): string[] {
  const balance = (node: string, account: string) =>
    rows.find((row) => row.node === node && row.account === account)?.balance ?? 0n
  const faults: string[] = []
  const expect = (what: string, left: bigint, right: bigint) => {
    if (left !== right) faults.push(`${what}: ${left} is not ${right}`)
  }
  expect('sender and hub disagree', balance('sender', 'hub'), -balance('hub', 'sender'))
  expect('hub and receiver disagree', balance('hub', 'receiver'), -balance('receiver', 'hub'))
  expect('alice paid something else than was sent', -balance('sender', 'alice'), BigInt(payment.sent))
  expect('bob got something else than was delivered', balance('receiver', 'bob'), BigInt(payment.delivered))
  return faults
}

function report(rows: Row[], payment: PaymentView, faults: string[]): string {
  const table = renderTable(rows, [
    { title: 'node', value: (row) => row.node },
    { title: 'account', value: (row) => row.account },
    { title: 'relation', value: (row) => row.relation },
    {
      title: 'balance',
      value: (row) => formatMoney(String(row.balance), row.assetScale, row.assetCode),
      align: 'right',
    },
  ])
  const sent = formatMoney(payment.sent, USD.scale, USD.code)
  const delivered = formatMoney(payment.delivered, XRP.scale, XRP.code)
  const outcome = `${payment.state}: alice sent ${sent}, bob received ${delivered}\n`
  const legend = 'Above zero: the node owes the account. Below zero: the account owes the node.\n'
  const verdict =
    faults.length === 0
      ? 'The two sides of every link agree, and all of it adds up.\n'
      : `It does NOT add up:\n${faults.map((fault) => `  ${fault}\n`).join('')}`
  return `${outcome}${payment.message === undefined ? '' : `${payment.message}\n`}\n${table}\n${legend}${verdict}`
}

function jsonRows(rows: Row[]): object[] {
  return rows.map((row) => ({ ...row, balance: row.balance.toString() }))
}

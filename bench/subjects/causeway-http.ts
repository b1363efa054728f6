import { freePort } from '../../test/support/free-port.ts'
import { NodeProcess } from '../../test/support/node-process.ts'
import { causewayAccount } from './causeway-account.ts'
import { httpEnds } from './http-ends.ts'
import type { PeerEnd, Subject } from './subject.ts'

const NODE_ADDRESS = 'g.bench'
const ASSET = { code: 'USD', scale: 9 }
/** The load's servers begin after the node: it should find them soon. Milliseconds. */
const PROBE_MAX_MS = 500

/** This connector over ILP-HTTP, otherwise as it runs over BTP: limits, metrics and log on, FULFILL after commit. */
export const causewayHttp: Subject = {
  name: 'causeway-http',
  title: 'Causeway over ILP-HTTP, sqlite ledger, FULFILL after commit',
  async start({ pairs }) {
    const port = await freePort()
    const payeePort = await freePort()
    const common = { pairs, parentAddress: NODE_ADDRESS }
    const payers = httpEnds({ ...common, kind: 'payer', port, path: () => '/ilp' })
    const payees = httpEnds({
      ...common,
      kind: 'payee',
      port: payeePort,
      path: (index) => `/accounts/${index}/ilp`,
    })
    const node = await NodeProcess.create(
      {
        node: { id: 'bench', environment: 'production', ilpAddress: NODE_ADDRESS },
        plugins: { 'ilp-http': { listen: { host: '127.0.0.1', port } } },
        peers: [...payers.map(payerAccount), ...payees.map(payeeAccount)],
        logging: { level: 'info', format: 'json' },
      },
      Object.fromEntries([...payers, ...payees].map(({ id, token }) => [id, token])),
    )
    try {
      await node.start({ NODE_ENV: 'production' })
    } catch (error) {
      await node.destroy()
      throw error
    }
    return {
      ends: { protocol: 'http', payers, payees, deliveredAmount: (amount) => amount },
      pids: [node.pid],
      output: () => node.output,
      stop: () => node.destroy(),
    }
  },
}

function payerAccount({ id }: PeerEnd) {
  return causewayAccount(id, ASSET, {
    plugin: 'ilp-http',
    incoming: { scheme: 'bearer', token: `secret:${id}` },
  })
}

function payeeAccount({ id, url }: PeerEnd) {
  return causewayAccount(id, ASSET, {
    plugin: 'ilp-http',
    outgoing: { url, scheme: 'bearer', token: `secret:${id}`, probeMaxMs: PROBE_MAX_MS },
  })
}

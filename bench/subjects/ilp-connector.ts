import { join } from 'node:path'
import { freePort } from '../../test/support/free-port.ts'
import { type IlpConnectorAccount, ilpConnectorSettings } from '../peers/ilp-connector-settings.ts'
import { installPeers } from '../peers/install.ts'
import type { PeerEnd, Subject } from './subject.ts'
import { SubjectProcess } from './subject-process.ts'

const ADDRESS = 'test.bench'

/** The reference connector of npm with its own BTP plugin, a listener per account. */
export const ilpConnector: Subject = {
  name: 'ilp-connector',
  title: 'ilp-connector 23.0.2 over BTP, balances in memory',
  async start({ pairs }) {
    const packages = await installPeers()
    const payers = await accounts('payer', pairs)
    const payees = await accounts('payee', pairs)
    const all = [...payers, ...payees]
    const connector = await SubjectProcess.start({
      program: join(packages, 'ilp-connector', 'dist', 'index.js'),
      env: ilpConnectorSettings(ADDRESS, all),
      ports: all.map(({ port }) => port),
    })
    return {
      ends: {
        protocol: 'btp',
        payers: payers.map(end),
        payees: payees.map(end),
        deliveredAmount: (amount) => amount,
      },
      pids: [connector.pid],
      output: () => connector.output,
      stop: () => connector.stop(),
    }
  },
}

async function accounts(kind: 'payer' | 'payee', count: number): Promise<IlpConnectorAccount[]> {
  const found: IlpConnectorAccount[] = []
  for (let index = 0; index < count; index++) {
    const id = `${kind}${index}`
    found.push({ id, port: await freePort(), token: `token-of-${id}-of-the-bench` })
  }
  return found
}

function end({ id, port, token }: IlpConnectorAccount): PeerEnd {
  return { id, url: `ws://127.0.0.1:${port}`, token, address: `${ADDRESS}.${id}` }
}

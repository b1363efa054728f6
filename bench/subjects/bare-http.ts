import { join } from 'node:path'
import { freePort } from '../../test/support/free-port.ts'
import { httpEnds } from './http-ends.ts'
import type { Subject } from './subject.ts'
import { SubjectProcess } from './subject-process.ts'

const PROGRAM = join(import.meta.dirname, '../relays/bare-http-relay.ts')

/** Passes POSTed bodies on as they are: the practical ceiling of a connector over node:http and undici. */
export const bareHttp: Subject = {
  name: 'bare-http',
  title: 'bare relay over HTTP, no ILP',
  async start({ pairs }) {
    const port = await freePort()
    const payeePort = await freePort()
    const common = { pairs, parentAddress: 'test.relay' }
    const payers = httpEnds({ ...common, kind: 'payer', port, path: (index) => `/payers/${index}` })
    const payees = httpEnds({
      ...common,
      kind: 'payee',
      port: payeePort,
      path: (index) => `/accounts/${index}/ilp`,
    })
    const args = [String(port), payees[0]!.token, ...payees.map((payee) => payee.url)]
    const relay = await SubjectProcess.start({ program: PROGRAM, args, ports: [port] })
    return {
      ends: { protocol: 'http', payers, payees, deliveredAmount: (amount) => amount },
      pids: [relay.pid],
      output: () => relay.output,
      stop: () => relay.stop(),
    }
  },
}

import { join } from 'node:path'
import { freePort } from '../../test/support/free-port.ts'
import type { PeerEnd, Subject } from './subject.ts'
import { SubjectProcess } from './subject-process.ts'

const PROGRAM = join(import.meta.dirname, '../relays/bare-btp-relay.ts')

/** Forwards BTP frames as they are: the practical ceiling of a connector over WebSocket. */
export const bareBtp: Subject = {
  name: 'bare-btp',
  title: 'bare relay of BTP frames, no ILP',
  async start({ pairs }) {
    const port = await freePort()
    const relay = await SubjectProcess.start({ program: PROGRAM, args: [String(port)], ports: [port] })
    const ends = (kind: 'payer' | 'payee'): PeerEnd[] =>
      Array.from({ length: pairs }, (_, index) => ({
        id: `${kind}${index}`,
        url: `ws://127.0.0.1:${port}/${kind}s/${index}`,
        token: `token-of-${kind}-${index}-of-the-bench`,
        address: `test.relay.${kind}${index}`,
      }))
    return {
      ends: {
        protocol: 'btp',
        payers: ends('payer'),
        payees: ends('payee'),
        deliveredAmount: (amount) => amount,
      },
      pids: [relay.pid],
      output: () => relay.output,
      stop: () => relay.stop(),
    }
  },
}

import { afterEach, describe, expect, it } from 'vitest'
import { fulfill, makePacket, verdict } from '../blackbox/fake-peer.ts'
import { freePort } from '../support/free-port.ts'
import { NodeProcess } from '../support/node-process.ts'
import { btpGuest, btpListener, secretsOf, tokenOf } from './support/settings.ts'
import { Wallets } from './support/wallets.ts'

/** So many accounts to open first that customers who dial all the time find the node half started. */
const OTHERS = 300

describe('customers with ilp-plugin-btp who dial while the node starts', () => {
  const wallets = new Wallets()
  let node: NodeProcess | undefined

  afterEach(async () => {
    await wallets.disconnect()
    await node?.destroy()
  })

  it('are let in at the first attempt that is answered, and their packets pass at once', async () => {
    const port = await freePort()
    const others = Array.from({ length: OTHERS }, (_, index) => `other-${index}`)
    const ids = ['alice', ...others, 'bob']
    node = await NodeProcess.create(
      {
        plugins: btpListener(port),
        peers: ids.map((id) => btpGuest({ id, relation: 'child', asset: { code: 'USD', scale: 6 } })),
      },
      secretsOf(...ids),
    )
    // The plugin gives up for good when its first login is refused; until something listens it goes on.
    const dialled = Promise.all([wallets.dial(port, tokenOf('alice')), wallets.dial(port, tokenOf('bob'))])
    node.launch()
    const ready = node.ready()
    const [alice, bob] = await Promise.race([dialled, ready.then(() => dialled)])
    const { prepare, fulfillment } = makePacket('test.node.bob', { amount: '5' })
    bob.registerDataHandler(async () => fulfill(fulfillment))
    expect(verdict(await alice.sendData(prepare))).toBe('fulfilled')
    await ready
    expect(await node.balance('bob')).toBe(5n)
  })
})

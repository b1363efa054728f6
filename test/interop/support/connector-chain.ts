import { freePort } from '../../support/free-port.ts'
import { NodeProcess } from '../../support/node-process.ts'
import { IlpConnectorProcess } from './ilp-connector-process.ts'
import { type Asset, btpGuest, btpHost, btpListener, secretsOf, tokenOf } from './settings.ts'

export const ALICE_ASSET: Asset = { code: 'USD', scale: 6 }
export const BOB_ASSET: Asset = { code: 'XRP', scale: 6 }

/** Node A with its customer alice, an `ilp-connector` that A dials and that dials B, node B with its customer bob. */
export interface ConnectorChain {
  a: NodeProcess
  connector: IlpConnectorProcess
  b: NodeProcess
  /** Where alice and bob dial in, each with `tokenOf` its name. */
  alicePort: number
  bobPort: number
  destroy(): Promise<void>
}

/**
 * One smallest unit of alice is 1,000 between A and the connector, 1 between the connector and B, and 2 of bob.
 * @param maxPacketAmount largest packet that the connector takes from A, in its units
 */
export async function startConnectorChain(maxPacketAmount: string): Promise<ConnectorChain> {
  const [alicePort, bobPort, connectorPort] = [await freePort(), await freePort(), await freePort()]
  const b = await NodeProcess.create(
    {
      node: { id: 'node-b', ilpAddress: 'test.b' },
      plugins: btpListener(bobPort),
      peers: [
        btpGuest({ id: 'bob', relation: 'child', asset: BOB_ASSET }),
        btpGuest({ id: 'connector', relation: 'peer', asset: { code: 'USD', scale: 6 }, routes: ['test.a'] }),
      ],
      rates: { provider: 'fixed', base: 'USD', prices: { USD: '1', XRP: '0.5' } },
    },
    secretsOf('bob', 'connector'),
  )
  const a = await NodeProcess.create(
    {
      node: { id: 'node-a', ilpAddress: 'test.a' },
      plugins: btpListener(alicePort),
      peers: [
        btpGuest({ id: 'alice', relation: 'child', asset: ALICE_ASSET }),
        btpHost(
          {
            id: 'connector',
            relation: 'peer',
            asset: { code: 'USD', scale: 9 },
            routes: ['test.b', 'test.hub'],
          },
          connectorPort,
        ),
      ],
    },
    secretsOf('alice', 'connector'),
  )
  const connector = await IlpConnectorProcess.create({
    ilpAddress: 'test.hub',
    accounts: {
      a: {
        relation: 'peer',
        assetCode: 'USD',
        assetScale: 9,
        btp: { listen: connectorPort, token: tokenOf('connector') },
        maxPacketAmount,
      },
      b: {
        relation: 'peer',
        assetCode: 'USD',
        assetScale: 6,
        btp: { dial: bobPort, token: tokenOf('connector') },
      },
    },
    routes: [
      { targetPrefix: 'test.a', peerId: 'a' },
      { targetPrefix: 'test.b', peerId: 'b' },
    ],
  })
  const destroy = async () => {
    await connector.stop()
    await Promise.all([a.destroy(), b.destroy()])
  }
  try {
    connector.launch()
    await Promise.all([b.start(), a.start()])
    await connector.ready()
  } catch (error) {
    await destroy()
    throw error
  }
  return { a, connector, b, alicePort, bobPort, destroy }
}

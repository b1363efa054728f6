import { afterAll, beforeAll, describe, it } from 'vitest'
import { findTigerBeetleOrWarn, TigerBeetleServer } from '../support/tigerbeetle-server.ts'
import { ridesOutAnOutage } from './support/outage.ts'
import { createTwoAssetNode, type TwoAssetNode } from './support/two-asset-node.ts'

/** Short, so that packets in flight at the stop expire while the server is stopped. */
const EXPIRES_IN_MS = 4_000
const CALL_DEADLINE_MS = 1_000

const binary = findTigerBeetleOrWarn('the fault tests of a node over TigerBeetle')

const modes = ['exclusive', 'shared']

describe.skipIf(binary === undefined).each(modes)(
  'a node in mode %s whose TigerBeetle server stops answering',
  (mode) => {
    let server: TigerBeetleServer
    let scene: TwoAssetNode

    beforeAll(async () => {
      server = await TigerBeetleServer.start(binary!)
      scene = await createTwoAssetNode({
        ledger: {
          backend: 'tigerbeetle',
          mode,
          tigerbeetle: { addresses: [server.address], timeoutMs: CALL_DEADLINE_MS },
        },
        expiresInMs: EXPIRES_IN_MS,
      })
      await scene.node.start()
    }, 60_000)
    afterAll(async () => {
      server?.resume()
      await Promise.all((scene?.flows ?? []).map((flow) => flow.close()))
      await scene?.node.destroy()
      await server?.stop()
    })

    it('refuses value inside the expiry, serves packets without value, and recovers by itself with exact books', async () => {
      const line = await ridesOutAnOutage(scene, {
        expiresInMs: EXPIRES_IN_MS,
        begin: () => server.pause(),
        end: () => server.resume(),
      })
      console.info(`TigerBeetle server stopped (${mode}): ${line}`)
    }, 90_000)

    it('rides out a server that is killed and started again in the same way', async () => {
      const line = await ridesOutAnOutage(scene, {
        expiresInMs: EXPIRES_IN_MS,
        begin: () => server.kill(),
        end: () => server.restart(),
      })
      console.info(`TigerBeetle server killed (${mode}): ${line}`)
    }, 90_000)
  },
)

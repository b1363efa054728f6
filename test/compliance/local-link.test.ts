import { LocalEndpoint } from '../../plugins/local/local-endpoint.ts'
import { createPlugin } from '../../plugins/local/plugin.ts'
import { systemClock } from '../../src/lib/clock.ts'
import { silentLogger } from '../../src/lib/logger.ts'
import type { LinkReceiver } from '../../src/peers/link.ts'
import { linkCompliance } from './link.ts'

const deps = { clock: systemClock, logger: silentLogger, random: () => 0.5 }

linkCompliance('local', async (near, far) => {
  const plugin = createPlugin({}, deps)
  await plugin.start()
  const open = (receiver: LinkReceiver, options: Record<string, unknown>) =>
    plugin.openLink({
      accountId: 'alice',
      relation: 'local',
      assetCode: 'USD',
      assetScale: 9,
      options: { plugin: 'local', ...options },
      receiver,
    })
  const nearEndpoint = new LocalEndpoint()
  const farEndpoint = new LocalEndpoint()
  nearEndpoint.registerDataHandler((packet) => farEndpoint.sendData(packet))
  farEndpoint.registerDataHandler((packet) => nearEndpoint.sendData(packet))
  await nearEndpoint.connect()
  await farEndpoint.connect()
  return {
    near: open(near, { endpoint: nearEndpoint }),
    far: open(far, { endpoint: farEndpoint }),
    openWith: (options) => open(near, options),
    badOptions: [
      { name: 'no endpoint', options: {}, path: 'endpoint' },
      { name: 'an endpoint that is a name', options: { endpoint: 'alice' }, path: 'endpoint' },
      { name: 'an endpoint that another link uses', options: { endpoint: nearEndpoint }, path: 'endpoint' },
      { name: 'an unknown option', options: { endpoint: new LocalEndpoint(), host: 'x' }, path: 'host' },
    ],
    close: () => plugin.stop(),
  }
})

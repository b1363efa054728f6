import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createPlugin } from '../../plugins/legacy/plugin.ts'
import { systemClock } from '../../src/lib/clock.ts'
import { silentLogger } from '../../src/lib/logger.ts'
import type { LinkReceiver } from '../../src/peers/link.ts'
import { freePort } from '../support/free-port.ts'
import { linkCompliance, type MakeLinkHarness, type ScriptedRemote } from './link.ts'
import { waitFor } from './wait-for.ts'

/** Answers with things that are no packets, and hands over things that are none. */
const RUBBISH_PLUGIN = `
class Rubbish {
  async connect () { this.connected = true }
  async disconnect () { this.connected = false }
  isConnected () { return this.connected === true }
  async sendData (data) {
    const what = [Buffer.alloc(0), 'text', Buffer.alloc(50000), null, 7][data[1]]
    this.handler(what).catch(() => undefined)
    return new Promise(() => undefined)
  }
  registerDataHandler (handler) { this.handler = handler }
  deregisterDataHandler () { this.handler = undefined }
}
Rubbish.version = 2
module.exports = Rubbish
`

const makeHarness: MakeLinkHarness = async (near, far) => {
  const directory = mkdtempSync(join(tmpdir(), 'causeway-legacy-'))
  const deps = { clock: systemClock, logger: silentLogger, random: Math.random, baseDirectory: directory }
  const plugin = createPlugin({}, deps)
  const port = await freePort()
  const open = (receiver: LinkReceiver, options: Record<string, unknown>) =>
    plugin.openLink({
      accountId: 'peer',
      relation: 'peer',
      assetCode: 'XRP',
      assetScale: 9,
      options,
      receiver,
    })
  const btp = (options: Record<string, unknown>) => ({ module: 'ilp-plugin-btp', restartMinMs: 10, options })
  return {
    near: open(near, btp({ server: `btp+ws://:a-secret@127.0.0.1:${port}`, reconnectInterval: 50 })),
    far: open(far, btp({ listener: { port, secret: 'a-secret' } })),
    openRequestsMax: 1_000,
    scripted: async (receiver): Promise<ScriptedRemote> => {
      writeFileSync(join(directory, 'rubbish.cjs'), RUBBISH_PLUGIN)
      const link = open(receiver, { module: './rubbish.cjs' })
      await link.start()
      await waitFor('the link to be connected', () => link.connected)
      const send = (kind: number) => () => {
        const packet = Buffer.from([12, kind])
        link.sendPrepare(kind, packet, 0, 2, Date.now() + 30_000)
      }
      return {
        link,
        rubbish: ['an empty packet', 'text', 'too long a packet', 'null', 'a number'].map((name, kind) => ({
          name,
          send: send(kind),
        })),
        close: () => link.stop(),
      }
    },
    openWith: (options) => open(near, options),
    badOptions: [
      { name: 'no module', options: {}, path: 'module' },
      { name: 'a module that is not there', options: { module: 'ilp-plugin-of-nobody' }, path: 'module' },
      { name: 'an unknown key', options: { module: 'ilp-plugin-btp', speed: 3 }, path: 'speed' },
      { name: 'a wrong timeout', options: { module: 'ilp-plugin-btp', timeoutMs: -1 }, path: 'timeoutMs' },
    ],
    close: async () => {
      await plugin.stop()
      rmSync(directory, { recursive: true })
    },
  }
}

linkCompliance('legacy with ilp-plugin-btp', makeHarness)

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { deserializeIlpReply, serializeIlpPrepare } from 'ilp-packet'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { freePort } from '../support/free-port.ts'
import { NodeProcess } from '../support/node-process.ts'
import { entry, ForeignClient } from '../unit/btp/foreign-client.ts'

const TOKENS = {
  mallory: 'token-of-a-peer-that-floods-0123456789',
  carol: 'token-of-another-peer-0123456789abc',
}
/** Twice what a node takes at once of one peer. */
const FLOOD = 400
const AMOUNT = '1000000000000000000'
const START_MS = 60_000

describe('a peer that floods a node with settlement messages, while its engine is away', () => {
  const directory = mkdtempSync(join(tmpdir(), 'causeway-flood-'))
  let node: NodeProcess
  let url: string

  beforeAll(async () => {
    const keyFile = (name: string, digit: string): string => {
      const path = join(directory, name)
      writeFileSync(path, digit.repeat(64), { mode: 0o600 })
      return path
    }
    const [port, nobody] = [await freePort(), await freePort()]
    url = `ws://127.0.0.1:${port}`
    const bounds = {
      deposit: AMOUNT,
      claimAtValue: AMOUNT,
      maxDepositPerChannel: AMOUNT,
      totalBudget: AMOUNT,
    }
    const peer = (id: string, more: object) => ({
      ...{ id, relation: 'peer', asset: { code: 'ETH', scale: 9 } },
      link: { plugin: 'btp', mode: 'server', token: `secret:${id}` },
      ...more,
    })
    node = await NodeProcess.create(
      {
        node: { id: 'node', ilpAddress: 'test.node' },
        plugins: { btp: { listen: { host: '127.0.0.1', port } } },
        peers: [peer('mallory', { settlement: { engine: 'evm', threshold: '1000000' } }), peer('carol', {})],
        settlement: {
          engines: {
            evm: {
              type: 'evm',
              rpcUrls: [`http://127.0.0.1:${nobody}`],
              chainId: 31_337,
              contract: `0x${'ab'.repeat(20)}`,
              keys: { fundingKeyFile: keyFile('funding', '1'), claimKeyFile: keyFile('claim', '2') },
              assets: { ETH: { token: 'native', ...bounds } },
            },
          },
        },
      },
      TOKENS,
    )
    await node.start({}, START_MS)
  }, 2 * START_MS)

  afterAll(async () => {
    await node?.destroy()
    rmSync(directory, { recursive: true, force: true })
  })

  it('is put off, fills no log, and does not keep others from being answered', async () => {
    const mallory = await ForeignClient.logIn(url, TOKENS.mallory)
    const carol = await ForeignClient.logIn(url, TOKENS.carol)
    const to = (destination: string) =>
      serializeIlpPrepare({
        ...{ amount: '0', destination, data: Buffer.from('{"v":1}') },
        executionCondition: Buffer.alloc(32),
        expiresAt: new Date(Date.now() + START_MS),
      })
    for (let id = 1; id <= FLOOD; id++) mallory.message(id, [entry('ilp', to('peer.settle'))])
    carol.message(1, [entry('ilp', to('test.nobody'))])
    await carol.received(1)
    const codes = (await mallory.received(FLOOD)).map(({ data }) => {
      const { data: reply } = (data as { protocolData: { data: Buffer }[] }).protocolData[0]!
      return (deserializeIlpReply(reply) as { code: string }).code
    })
    // T03 comes where more of them than are worked on at once arrive together.
    expect(codes.filter((code) => code !== 'T03').every((code) => code === 'T00' || code === 'T05')).toBe(
      true,
    )
    expect(codes.filter((code) => code === 'T05').length).toBeGreaterThan(0)
    expect(codes.filter((code) => code === 'T00').length).toBeGreaterThan(0)
    const lines = node.output
      .split('\n')
      .filter((line) => line.includes('settlement message was not answered'))
    expect(lines.length).toBeGreaterThan(0)
    expect(lines.length).toBeLessThan(10)
    mallory.end()
    carol.end()
  }, 30_000)
})

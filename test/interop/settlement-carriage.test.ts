import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  deserializeIlpPrepare,
  deserializeIlpReply,
  serializeIlpPrepare,
  serializeIlpReply,
} from 'ilp-packet'
import IlpPluginBtp from 'ilp-plugin-btp'
import type { Hex } from 'viem'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { ANVIL_KEYS } from '../support/anvil.ts'
import { freePort } from '../support/free-port.ts'
import { NodeProcess } from '../support/node-process.ts'
import { waitFor } from '../support/wait-for.ts'
import { ExchangeChain, PEER_KEY } from './support/engine-exchange.ts'
import { MinimalSettlementPeer, Refusal } from './support/minimal-settlement-peer.ts'

/** The class, whichever way the old module is read. */
const ForeignPlugin = ((IlpPluginBtp as unknown as { default?: unknown }).default ?? IlpPluginBtp) as new (
  options: object,
) => {
  connect(): Promise<void>
  disconnect(): Promise<void>
  sendData(data: Buffer): Promise<Buffer>
  registerDataHandler(handler: (data: Buffer) => Promise<Buffer>): void
}

const TOKEN = 'token-of-the-minimal-peer-0123456789abcdef'
const CONDITION = Buffer.from('66687aadf862bd776c8fc18b8e9f8e20089714856ee233b3902a591d0d5f2925', 'hex')
const EMPTY_CONDITION = Buffer.from('e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855', 'hex')
const START_MS = 60_000

/** The page's peer, over ILP packets and BTP made by others, with a whole node. */
describe('settlement messages of another implementation, over a link', () => {
  const directory = mkdtempSync(join(tmpdir(), 'causeway-carriage-'))
  let chain: ExchangeChain
  let node: NodeProcess
  let plugin: InstanceType<typeof ForeignPlugin>
  let peer: MinimalSettlementPeer
  const carried: { destination: string; amount: string; condition: string; expiresInMs: number }[] = []

  beforeAll(async () => {
    chain = await ExchangeChain.start()
    await chain.anvil.rpc('evm_setIntervalMining', 1)
    const key = (name: string, value: string): string => {
      writeFileSync(join(directory, name), value, { mode: 0o600 })
      return join(directory, name)
    }
    const port = await freePort()
    const amount = '1000000000000000000'
    node = await NodeProcess.create(
      {
        node: { id: 'node', ilpAddress: 'test.engine' },
        plugins: { btp: { listen: { host: '127.0.0.1', port } } },
        peers: [
          {
            id: 'minimal',
            relation: 'peer',
            asset: { code: 'ETH', scale: 9 },
            link: { plugin: 'btp', mode: 'server', token: 'secret:link' },
            settlement: { engine: 'evm', threshold: '1000000' },
          },
        ],
        settlement: {
          engines: {
            evm: {
              type: 'evm',
              rpcUrls: [chain.anvil.url],
              chainId: chain.anvil.chainId,
              contract: chain.contract,
              keys: {
                fundingKeyFile: key('funding', ANVIL_KEYS[1]!),
                claimKeyFile: key('claim', '11'.repeat(32)),
              },
              assets: {
                ETH: {
                  ...{ token: 'native', deposit: amount, claimAtValue: amount },
                  ...{ maxDepositPerChannel: amount, totalBudget: amount },
                },
              },
              settleDelaySeconds: 7_200,
              minSettleDelaySeconds: 3_600,
              pollMs: 100,
            },
          },
        },
      },
      { link: TOKEN },
    )
    await node.start({}, START_MS)
    peer = new MinimalSettlementPeer({
      rpcUrl: chain.anvil.url,
      contract: chain.contract,
      accountKey: PEER_KEY,
      signerKey: `0x${'22'.repeat(32)}`,
      ilpAddress: 'test.minimal',
      peerIlpAddress: 'test.engine',
    })
    plugin = new ForeignPlugin({ server: `btp+ws://:${TOKEN}@127.0.0.1:${port}` })
    peer.carry = async (message) => {
      const reply = await send({ data: message })
      if ('fulfillment' in reply) {
        expect(reply.fulfillment).toEqual(Buffer.alloc(32))
        return reply.data
      }
      // Asked again too often while a machine is slow.
      if (reply.code === 'T05') throw new Refusal('busy')
      expect(reply.code).toBe('F00')
      throw new Refusal(/^([a-z-]+): /.exec(reply.message)![1]!)
    }
    plugin.registerDataHandler(hear)
    await plugin.connect()
  }, 120_000)

  afterAll(async () => {
    await plugin?.disconnect()
    await node?.destroy()
    await chain?.stop()
    rmSync(directory, { recursive: true, force: true })
  })

  async function send(change: Partial<Parameters<typeof serializeIlpPrepare>[0]>) {
    const packet = serializeIlpPrepare({
      amount: '0',
      executionCondition: CONDITION,
      expiresAt: new Date(Date.now() + 30_000),
      destination: 'peer.settle',
      data: Buffer.from('{"v":1,"id":"1","type":"challenge"}'),
      ...change,
    })
    return deserializeIlpReply(await plugin.sendData(packet))
  }

  async function hear(packet: Buffer): Promise<Buffer> {
    const { amount, data, destination, executionCondition, expiresAt } = deserializeIlpPrepare(packet)
    carried.push({
      ...{ destination, amount, condition: executionCondition.toString('hex') },
      expiresInMs: expiresAt.getTime() - Date.now(),
    })
    try {
      return serializeIlpReply({ fulfillment: Buffer.alloc(32), data: await peer.answer(data) })
    } catch (error) {
      const message = `${error instanceof Refusal ? error.code : 'fault'}: no`
      return serializeIlpReply({ code: 'F00', message, triggeredBy: 'test.minimal', data: Buffer.alloc(0) })
    }
  }

  it('are Prepares of no value to peer.settle, both ways', async () => {
    await waitFor('the engine says hello', () => peer.heard.some(({ type }) => type === 'state'), START_MS)
    expect(carried[0]).toMatchObject({
      ...{ destination: 'peer.settle', amount: '0', condition: CONDITION.toString('hex') },
    })
    expect(carried[0]!.expiresInMs).toBeGreaterThan(0)
    expect(carried[0]!.expiresInMs).toBeLessThanOrEqual(30_000)
    expect(await peer.say({ type: 'challenge' })).toHaveProperty('challenge')
    expect(await send({ executionCondition: EMPTY_CONDITION })).toHaveProperty(
      'fulfillment',
      Buffer.alloc(32),
    )
  }, 90_000)

  it('bring a credit to the account, and nothing when they are bad', async () => {
    await peer.hello()
    const channelId = await peer.open(5_000_000_000n)
    const voucher = await peer.voucher(channelId, 2_000_000_001n)
    await waitFor('credited', async () => typeof (await peer.say(voucher)) === 'object', START_MS)
    await waitFor('booked', async () => (await node.balance('minimal')) === 2n, START_MS)
    const [row] = await node.admin<{ id: string; state: string; amount: string }[]>('GET', '/settlements')
    expect(row).toMatchObject({ id: `evm:31337:${channelId}:2000000001`, state: 'booked', amount: '2' })

    expect(await peer.say(await peer.voucher(channelId, 5_000_000_001n))).toBe('above-deposit')
    expect(await peer.say(await peer.voucher(channelId, 3_000_000_000n, { chainId: 1 }))).toBe(
      'bad-signature',
    )
    expect(await peer.sayRaw('{')).toBe('bad-message')
    expect(await send({ amount: '1' })).toMatchObject({ code: 'F00' })
    expect(await send({ destination: 'peer.settle.more' })).toMatchObject({ code: 'F01' })
    expect(await node.balance('minimal')).toBe(2n)
    expect(await node.admin<Hex[]>('GET', '/settlements')).toHaveLength(1)
  }, 150_000)
})

import { readdirSync, readFileSync } from 'node:fs'
import {
  encodeAbiParameters,
  type Hex,
  hashTypedData,
  keccak256,
  recoverTypedDataAddress,
  zeroAddress,
} from 'viem'
import { privateKeyToAddress } from 'viem/accounts'
import { beforeAll, describe, expect, it } from 'vitest'
import { parse } from 'yaml'

type Json = Record<string, unknown>

interface Side {
  accountKey: Hex
  account: Hex
  signerKey: Hex
  signer: Hex
}

interface Vectors {
  payer: Side
  payee: Side
  channel: { settleDelay: number; salt: Hex; id: Hex }
  digests: { hello: Hex; voucher: Hex }
}

const HELLO = {
  Hello: [
    { name: 'account', type: 'address' },
    { name: 'signer', type: 'address' },
    { name: 'ilpAddress', type: 'string' },
    { name: 'peerIlpAddress', type: 'string' },
    { name: 'challenge', type: 'bytes32' },
  ],
} as const
const VOUCHER = {
  Voucher: [
    { name: 'channelId', type: 'bytes32' },
    { name: 'cumulative', type: 'uint256' },
  ],
} as const
const TERMS = ['uint256', 'address', 'address', 'address', 'address', 'address', 'uint32', 'bytes32']
const CHAIN_ID = 31_337

describe('docs/settlement-protocol.md', () => {
  let page: string
  let samples: Map<string, { request: Json; answer: Json }>
  let vectors: Vectors
  let contract: Hex

  beforeAll(() => {
    page = readFileSync(new URL('../../docs/settlement-protocol.md', import.meta.url), 'utf8')
    samples = new Map(
      [...page.matchAll(/```json\n(.+)\n(.+)\n```/g)].map(([, first, second]) => {
        const request = JSON.parse(first!) as Json
        return [request.type as string, { request, answer: JSON.parse(second!) as Json }]
      }),
    )
    vectors = parse(/```yaml vectors\n([\s\S]+?)\n```/.exec(page)![1]!) as Vectors
    contract = samples.get('hello')!.request.contract as Hex
  })

  function hello(message: Json) {
    const { account, signer, ilpAddress, peerIlpAddress, challenge } = message as Record<string, string>
    return {
      domain: {
        name: 'Causeway Settlement Peer',
        version: '1',
        chainId: CHAIN_ID,
        verifyingContract: contract,
      },
      types: HELLO,
      primaryType: 'Hello',
      message: { account, signer, ilpAddress, peerIlpAddress, challenge } as Record<string, Hex>,
    } as never
  }

  function voucher({ channelId, cumulative }: Json) {
    return {
      domain: {
        ...{ name: 'Causeway Settlement Channels', version: '1' },
        ...{ chainId: CHAIN_ID, verifyingContract: contract },
      },
      types: VOUCHER,
      primaryType: 'Voucher',
      message: { channelId, cumulative: BigInt(cumulative as string) },
    } as never
  }

  it('shows a request and an answer of every kind, with one id', () => {
    expect([...samples.keys()]).toEqual([
      ...['challenge', 'hello', 'state', 'channel', 'claim', 'requestClose', 'payment'],
    ])
    for (const { request, answer } of samples.values()) {
      expect(answer).toMatchObject({ v: 1, id: request.id })
      expect(request.v).toBe(1)
      expect(answer).not.toHaveProperty('type')
    }
  })

  it('shows keys with their addresses, and the id of the channel', () => {
    const { channel, payee, payer } = vectors
    for (const { account, accountKey, signer, signerKey } of [payer, payee]) {
      expect(privateKeyToAddress(accountKey).toLowerCase()).toBe(account)
      expect(privateKeyToAddress(signerKey).toLowerCase()).toBe(signer)
    }
    const id = keccak256(
      encodeAbiParameters(
        TERMS.map((type) => ({ type })),
        [
          ...[BigInt(CHAIN_ID), contract, payer.account, payee.account, zeroAddress, payer.signer],
          ...[channel.settleDelay, channel.salt],
        ],
      ),
    )
    expect(id).toBe(channel.id)
    for (const type of ['channel', 'claim', 'requestClose'])
      expect(samples.get(type)!.request.channelId).toBe(id)
  })

  it('shows proofs over the challenges of the other side', async () => {
    const { request, answer } = samples.get('hello')!
    expect(hashTypedData(hello(request))).toBe(vectors.digests.hello)
    expect(request.challenge).toBe(samples.get('challenge')!.answer.challenge)
    expect(answer.challenge).toBe(request.yourChallenge)
    for (const [said, side] of [
      [request, vectors.payer],
      [answer, vectors.payee],
    ] as const) {
      expect(said).toMatchObject({ account: side.account, signer: side.signer })
      const found = await recoverTypedDataAddress({
        ...(hello(said) as object),
        signature: said.proof,
      } as never)
      expect(found.toLowerCase()).toBe(side.account)
    }
  })

  it('shows a voucher of the payer, in the claim and in the state', async () => {
    const { request } = samples.get('claim')!
    expect(hashTypedData(voucher(request))).toBe(vectors.digests.voucher)
    const found = await recoverTypedDataAddress({
      ...(voucher(request) as object),
      signature: request.signature,
    } as never)
    expect(found.toLowerCase()).toBe(vectors.payer.signer)
    const { channelId, cumulative, signature } = request
    expect(samples.get('state')!.answer.channels).toEqual([{ channelId, cumulative, signature }])
  })

  it('names every code that the engine refuses with, and no other', () => {
    const engine = new URL('../../settlement-engines/evm/engine/', import.meta.url)
    const sources = readdirSync(engine)
      .map((name) => readFileSync(new URL(name, engine), 'utf8'))
      .join('\n')
    const used = [...sources.matchAll(/new MessageRefusedError\(\s*'([a-z-]+)'/g)].map(([, code]) => code)
    const section = page.slice(page.indexOf('## Refusals'), page.indexOf('## On the chain'))
    const rows = section.split('\n').filter((line) => line.startsWith('| `'))
    const named = rows.flatMap((line) =>
      [...line.split('|')[1]!.matchAll(/`([a-z-]+)`/g)].map(([, code]) => code),
    )
    expect(named.toSorted()).toEqual([...new Set(used)].toSorted())
  })
})

import { MockAgent } from 'undici'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { SpspClient } from '../../../src/payments/spsp-client.ts'

const SECRET = Buffer.alloc(32, 0xfb)
const GOOD = { destination_account: 'test.bob.token', shared_secret: SECRET.toString('base64') }
const ORIGIN = 'https://pay.example'

describe('SpspClient', () => {
  let agent: MockAgent
  let client: SpspClient

  beforeEach(() => {
    agent = new MockAgent()
    agent.disableNetConnect()
    client = new SpspClient({ timeoutMs: 500 }, { dispatcher: agent })
  })

  afterEach(async () => {
    await client.close()
    await agent.close()
  })

  const answer = (origin: string, path: string, status: number, body: object | string, headers = {}) =>
    agent.get(origin).intercept({ path, method: 'GET' }).reply(status, body, { headers })
  const query = (url = `${ORIGIN}/bob`) => client.query(new URL(url))

  it('gets the address and secret, in base64 or base64url', async () => {
    for (const shared_secret of [SECRET.toString('base64'), SECRET.toString('base64url')]) {
      answer(ORIGIN, '/bob', 200, { ...GOOD, shared_secret, more: [1] })
      expect(await query()).toEqual({
        destinationAccount: 'test.bob.token',
        sharedSecret: SECRET,
        url: new URL(`${ORIGIN}/bob`),
      })
    }
  })

  it('asks for SPSP version 4', async () => {
    agent
      .get(ORIGIN)
      .intercept({ path: '/bob', headers: { accept: /application\/spsp4\+json/ } })
      .reply(200, GOOD)
    await query()
  })

  it('follows redirects to other https hosts, and says where it ended', async () => {
    answer(ORIGIN, '/bob', 302, '', { location: '/moved' })
    answer(ORIGIN, '/moved', 307, '', { location: 'https://wallet.example/bob' })
    answer('https://wallet.example', '/bob', 200, GOOD)
    expect((await query()).url.href).toBe('https://wallet.example/bob')
  })

  it.each([
    'http://wallet.example/bob',
    'http://127.0.0.1/bob',
    'https://127.0.0.1/bob',
    'https://localhost/bob',
    'https://10.1.2.3/bob',
    'https://[::1]/bob',
    'https://[fd00::1]/bob',
    'https://user@wallet.example/bob',
    'file:///etc/passwd',
  ])('does not follow a redirect to %s', async (location) => {
    answer(ORIGIN, '/bob', 302, '', { location })
    await expect(query()).rejects.toThrow(/redirects to/)
  })

  it('gives up after three redirects', async () => {
    for (let i = 0; i < 4; i++) answer(ORIGIN, '/bob', 302, '', { location: '/bob' })
    await expect(query()).rejects.toThrow(/more than 3 times/)
  })

  it.each([
    ['text', 'hello', /not JSON/],
    ['nothing', '', /not JSON/],
    ['a list', [], /not usable/],
    ['no address', { shared_secret: GOOD.shared_secret }, /destination_account/],
    ['a bad address', { ...GOOD, destination_account: 'g..a' }, /not an ILP address/],
    ['no secret', { destination_account: 'g.a' }, /shared_secret/],
    ['a short secret', { ...GOOD, shared_secret: 'AAAA' }, /has 3 bytes, not 32/],
    ['a secret that is not base64', { ...GOOD, shared_secret: '!'.repeat(44) }, /not base64/],
    ['too much', `{"x":"${'a'.repeat(70_000)}"}`, /more than 65536 bytes/],
  ])('refuses a reply of %s', async (_name, body, message) => {
    answer(ORIGIN, '/bob', 200, body)
    await expect(query()).rejects.toThrow(message)
  })

  it('says when nobody is there, or the host fails', async () => {
    answer(ORIGIN, '/bob', 404, { id: 'InvalidReceiverError' })
    await expect(query()).rejects.toThrow(/nobody is paid at https:\/\/pay.example\/bob/)
    answer(ORIGIN, '/bob', 500, '')
    await expect(query()).rejects.toThrow(/HTTP 500/)
    agent.get(ORIGIN).intercept({ path: '/bob' }).replyWithError(new Error('refused'))
    await expect(query()).rejects.toThrow(/cannot be asked: refused/)
  })

  it('breaks off when it is closed', async () => {
    agent.get(ORIGIN).intercept({ path: '/bob' }).reply(200, GOOD).delay(400)
    const failed = expect(query()).rejects.toThrow(/cannot be asked/)
    await client.close()
    await failed
  })

  it('gives up at the deadline', async () => {
    agent.get(ORIGIN).intercept({ path: '/bob' }).reply(200, GOOD).delay(800)
    await expect(query()).rejects.toThrow(/did not answer within 500 ms/)
  })
})

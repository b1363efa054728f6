import { describe, expect, it } from 'vitest'
import { runCli } from '../../../src/cli/run-cli.ts'
import { hangUp, ok, refused, runOn, STUB_LOADERS, stubIo, stubNode } from './cli-helpers.ts'

const ALICE = {
  id: 'alice',
  ilpAddress: 'test.me.alice',
  spspUrl: 'http://127.0.0.1:7780/alice',
  assetCode: 'USD',
  assetScale: 2,
  balance: '0',
}
const BOB = { ...ALICE, id: 'bob', assetCode: 'EUR' }

const payment = (sent: string, state = 'running', more = {}) => ({
  id: 'pay-1',
  fromAccount: 'alice',
  destination: 'bob',
  amount: '1000',
  sent,
  delivered: sent,
  state,
  startedAtMs: 0,
  destinationAssetCode: 'EUR',
  destinationAssetScale: 2,
  ...more,
})

/** A node whose payment goes through these views, one per question. */
function payingNode(views: unknown[], accounts: unknown[] = [ALICE, BOB]) {
  const left = [...views]
  return stubNode({
    'GET /local-accounts': () => ok(accounts),
    'POST /payments': () => ok(payment('0')),
    'GET /payments/pay-1': () => ok(left.length > 1 ? left.shift() : left[0]),
  })
}

describe('pay', () => {
  it('shows lines of progress where there is no terminal, then what was delivered', async () => {
    const views = ['250', '500', '750'].flatMap((sent) => Array(5).fill(payment(sent)))
    const node = await payingNode([...views, payment('1000', 'completed', { delivered: '926' })])
    const { code, out, err } = await runOn(node, ['pay', 'bob', '1000', '--from', 'alice'])
    expect(code).toBe(0)
    expect(out).toBe('completed: sent 10.00 USD from alice, delivered 9.26 EUR to bob\n')
    expect(err.split('\n')[0]).toBe('0% sent: 0.00 USD of 10.00 USD')
    expect(err).toContain('100% sent: 10.00 USD of 10.00 USD\n')
    expect(err).not.toContain('\u001B')
    expect(node.requests.find(({ method }) => method === 'POST')?.body).toEqual({
      fromAccount: 'alice',
      destination: 'bob',
      amount: '1000',
    })
  })

  it('draws a bar on a terminal', async () => {
    const node = await payingNode([payment('500'), payment('1000', 'completed')])
    const { err } = await runOn(node, ['pay', 'bob', '1000', '--from', 'alice'], { isTty: true })
    expect(err).toContain(`\r\u001B[2K[${'#'.repeat(15)}${'.'.repeat(15)}]  50%  5.00 USD of 10.00 USD`)
    expect(err.endsWith('\n')).toBe(true)
  })

  it('prints the payment alone with --json', async () => {
    const node = await payingNode([payment('500'), payment('1000', 'completed')])
    const { out, err } = await runOn(node, ['pay', 'bob', '1000', '--from', 'alice', '--json'], {
      isTty: true,
    })
    expect(JSON.parse(out)).toEqual(payment('1000', 'completed'))
    expect(err).toBe('')
  })

  it('ends with exit code 6 and the reason when it fails', async () => {
    const node = await payingNode([payment('300', 'failed', { message: 'no liquidity\u001B[0m' })])
    const { code, out, err } = await runOn(node, ['pay', 'bob', '1000', '--from', 'alice'])
    expect(code).toBe(6)
    expect(err).toContain('causeway: the payment failed: no liquidity?[0m\n')
    expect(out).toBe('failed: sent 3.00 USD from alice, delivered 3.00 EUR to bob\n')
  })

  it('does not call a payment failed that it could not see the end of', async () => {
    const node = await payingNode([payment('300')])
    const { code, err } = await runOn(node, ['pay', 'bob', '1000', '--from', 'alice', '--wait', '5'])
    expect(code).toBe(7)
    expect(err).toContain('no end after 5 s; the payment pay-1 was still running, 300 of 1000 sent')
  })

  it('asks again with the same key when the answer is lost, so that it pays once', async () => {
    let asked = 0
    const node = await stubNode({
      'GET /local-accounts': () => ok([ALICE]),
      'POST /payments': () => (++asked < 3 ? hangUp : ok(payment('1000', 'completed'))),
    })
    expect((await runOn(node, ['pay', '$x.example/y', '1000'])).code).toBe(0)
    const keys = node.requests
      .filter(({ method }) => method === 'POST')
      .map(({ headers }) => headers['idempotency-key'])
    expect(keys).toHaveLength(3)
    expect(new Set(keys).size).toBe(1)
    expect(keys[0]).toMatch(/^[0-9a-f-]{36}$/)
  })

  it('gives up asking after three lost answers, without calling it failed', async () => {
    const node = await stubNode({ 'GET /local-accounts': () => ok([ALICE]), 'POST /payments': () => hangUp })
    expect((await runOn(node, ['pay', 'bob', '1'])).code).toBe(7)
    expect(node.requests).toHaveLength(4)
  })

  it('does not call failed what the node itself does not know', async () => {
    const node = await stubNode({
      'GET /local-accounts': () => ok([ALICE]),
      'POST /payments': () => refused(504, 'OUTCOME_UNKNOWN', 'begun before the restart'),
    })
    const { code, err } = await runOn(node, ['pay', 'bob', '1'])
    expect(code).toBe(7)
    expect(err).toBe(
      'causeway: the node does not know the outcome: begun before the restart (OUTCOME_UNKNOWN)\n',
    )
  })

  it('goes on watching when single questions fail', async () => {
    let asked = 0
    const node = await stubNode({
      'GET /local-accounts': () => ok([ALICE]),
      'POST /payments': () => ok(payment('0')),
      'GET /payments/pay-1': () =>
        ++asked < 4 ? refused(429, 'RATE_LIMIT_EXCEEDED', 'slow down') : ok(payment('1000', 'completed')),
    })
    expect((await runOn(node, ['pay', 'bob', '1000'])).code).toBe(0)
  })

  it('stops watching on Ctrl-C and says that the payment goes on', async () => {
    const node = await payingNode([payment('300')])
    const io = stubIo({ env: { CAUSEWAY_URL: node.url, CAUSEWAY_TOKEN: 't' } })
    io.sleep = async () => io.interrupt()
    expect(await runCli(['pay', 'bob', '1000', '--from', 'alice'], io, STUB_LOADERS)).toBe(130)
    expect(io.err).toContain('stopped watching; the payment pay-1 was still running')
  })

  it('converts whole units exactly', async () => {
    const node = await payingNode([payment('1000', 'completed')])
    const amounts = { '12.5': '1250', '0.01': '1', '92233720368547758.09': '9223372036854775809' }
    for (const [whole, units] of Object.entries(amounts)) {
      await runOn(node, ['pay', 'bob', whole, '--from', 'alice', '--whole'])
      const posted = node.requests.filter(({ method }) => method === 'POST').at(-1)
      expect(posted?.body).toMatchObject({ amount: units })
    }
  })

  it.each([
    [
      ['bob', '12.5', '--from', 'alice'],
      '"12.5" is not a whole number of smallest units; "1" followed by 2 zeros is 1 USD. For USD with decimals add --whole',
    ],
    [['bob', '0', '--from', 'alice'], 'the amount is zero: give a positive one'],
    [['bob', '9'.repeat(50), '--from', 'alice'], 'the amount is too large: at most 20 digits'],
    [
      ['bob', '1.001', '--from', 'alice', '--whole'],
      '"1.001" has more than the 2 decimal places of the account',
    ],
    [['bob', '1', '--from', 'carol'], 'the node has no account "carol" to pay from; it has alice, bob'],
    [['carol', '1'], 'say which account pays: --from with one of alice, bob'],
    [
      ['/alice', '1'],
      "the destination is not complete. Put payment pointers in single quotes, or the shell replaces what follows the $: '$host/name'",
    ],
  ])('refuses %o and pays nothing', async (args, message) => {
    const node = await payingNode([])
    const { code, err } = await runOn(node, ['pay', ...args])
    expect({ code, err }).toEqual({ code: 2, err: `causeway: ${message}\n` })
    expect(node.requests.every(({ method }) => method === 'GET')).toBe(true)
  })

  it('pays from the only other account without being told', async () => {
    const node = await payingNode([payment('1000', 'completed')])
    expect((await runOn(node, ['pay', 'bob', '1000'])).code).toBe(0)
  })
})

describe('receive', () => {
  it('opens a pointer and shows money as it arrives', async () => {
    const balances = ['0', '0', '150', '150', '1000']
    const node = await stubNode({
      'POST /local-accounts': () => ok({ ...ALICE, id: 'r1', paymentPointer: '$x.example/r1' }),
      'GET /local-accounts': () => ok([{ ...ALICE, id: 'r1', balance: balances.shift() ?? '1000' }]),
    })
    const { code, out } = await runOn(node, ['receive', '--asset', 'USD', '--scale', '2', '--until', '1000'])
    expect(code).toBe(0)
    expect(node.requests[0]?.body).toEqual({ assetCode: 'USD', assetScale: 2 })
    expect(out).toContain('payment pointer: $x.example/r1\n')
    expect(out).toContain('+1.50 USD  balance 1.50 USD\n')
    expect(out).toContain('+8.50 USD  balance 10.00 USD\n')
  })

  it('prints one JSON object per line with --json', async () => {
    const node = await stubNode({
      'POST /local-accounts': () => ok(ALICE),
      'GET /local-accounts': () => ok([{ ...ALICE, balance: '5' }]),
    })
    const { out } = await runOn(node, ['receive', '--until', '5', '--json'])
    const events = out
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as unknown)
    expect(events).toEqual([
      { event: 'open', account: ALICE },
      { event: 'money', account: 'alice', arrived: '5', balance: '5' },
    ])
  })

  it('ends well on Ctrl-C', async () => {
    const node = await stubNode({ 'POST /local-accounts': () => ok(ALICE) })
    const io = stubIo({ env: { CAUSEWAY_URL: node.url, CAUSEWAY_TOKEN: 't' } })
    io.sleep = async () => io.interrupt()
    expect(await runCli(['receive'], io, STUB_LOADERS)).toBe(0)
  })

  it('ends when the node has forgotten the account', async () => {
    const node = await stubNode({
      'POST /local-accounts': () => ok(ALICE),
      'GET /local-accounts': () => ok([]),
    })
    const { code, err } = await runOn(node, ['receive'])
    expect(code).toBe(5)
    expect(err).toContain('the node no longer has the account alice: it was restarted')
  })
})

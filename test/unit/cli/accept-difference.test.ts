import { describe, expect, it } from 'vitest'
import { ok, refused, runOn, stubNode } from './cli-helpers.ts'

const PATH = 'POST /settlements/engines/evm/accept-difference'
const ACCEPTED = {
  engine: 'evm',
  assetCode: 'USD',
  assetScale: 6,
  amount: '-5000000',
  paid: '0',
  received: '5000000',
  reason: 'restored',
  acceptedMs: 0,
}

describe('settlements accept-difference', () => {
  it('sends the amount as it is, below 0 too, and tells what was accepted', async () => {
    const node = await stubNode({ [PATH]: () => ok(ACCEPTED) })
    const line =
      'settlements accept-difference evm --asset USD --amount -5000000 --asset-scale 6 --reason restored'
    const { code, out } = await runOn(node, line.split(' '))
    expect(code).toBe(0)
    expect(out).toContain('0.000000 USD more paid and 5.000000 USD more received')
    expect(node.requests[0]?.body).toEqual({
      assetCode: 'USD',
      assetScale: 6,
      amount: '-5000000',
      reason: 'restored',
    })
  })

  it('needs asset, amount and reason', async () => {
    const node = await stubNode({})
    for (const left of ['--asset', '--amount', '--reason']) {
      const flags = ['--asset', '--amount', '--reason'].filter((flag) => flag !== left)
      const words = ['settlements', 'accept-difference', 'evm', ...flags.flatMap((flag) => [flag, '1'])]
      const { code, err } = await runOn(node, words)
      expect(code).not.toBe(0)
      expect(err).toContain(left)
    }
    expect(node.requests).toEqual([])
  })

  it('passes on why it is refused', async () => {
    const node = await stubNode({ [PATH]: () => refused(409, 'CONFLICT', 'the difference is 7, not 8') })
    const line = 'settlements accept-difference evm --asset USD --amount 8 --reason restored'
    const { code, err } = await runOn(node, line.split(' '))
    expect(code).not.toBe(0)
    expect(err).toContain('the difference is 7, not 8')
  })
})

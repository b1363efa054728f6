import { describe, expect, it } from 'vitest'
import { child, GOOD, loadText, problemsOf } from './config-helpers.ts'

const ENGINES = `settlement:
  engines:
    evm: { type: evm }
`
const settling = (terms: string, more = '') =>
  `${GOOD}${ENGINES}peers:\n${child('a', `    settlement: { engine: evm, ${terms} }\n${more}`)}`

describe('settlement in the configuration', () => {
  it('is taken with nothing but an engine and a threshold', () => {
    const { config } = loadText(settling('threshold: "5"'))
    expect(config.peers[0]!.settlement).toEqual({
      engine: 'evm',
      threshold: '5',
      settleTo: '0',
      minAmount: '0',
      paused: false,
      options: {},
    })
    expect(config.settlement.reconcileIntervalMs).toBe(600_000)
  })

  it('warns of processes that share a ledger and name an engine alike', () => {
    const ledger =
      'ledger: { backend: tigerbeetle, mode: shared, tigerbeetle: { addresses: ["127.0.0.1:3000"] } }\n'
    const { warnings } = loadText(`${settling('threshold: "5"')}${ledger}`)
    expect(warnings.join()).toContain('names of engines must differ')
  })

  it.each([
    ['a threshold of 0', 'threshold: "0"', 'settlement.threshold (line 13): is 0. Give an amount above 0'],
    [
      'settleTo at the threshold',
      'threshold: "5", settleTo: "5"',
      'settlement.settleTo (line 13): 5 is not below threshold, 5. Give less, e.g. "0"',
    ],
    [
      'a maximum below the minimum',
      'threshold: "5", minAmount: "4", maxAmount: "3"',
      'settlement.maxAmount (line 13): 3 is 0 or below minAmount, 4. Give more, or leave it out',
    ],
  ])('refuses %s', (_, terms, problem) => {
    expect(problemsOf(settling(terms))).toEqual([`peers[0].${problem}`])
  })

  it('refuses an engine that is not there, and says which are', () => {
    const text = settling('threshold: "5"').replace('engine: evm', 'engine: xrp')
    expect(problemsOf(text)).toEqual([
      'peers[0].settlement.engine (line 13): there is no settlement engine "xrp". Name one of "evm", or add it under settlement.engines',
    ])
  })

  it('refuses an engine name that stands for something else in health replies', () => {
    const text = settling('threshold: "5"')
      .replaceAll('evm: {', 'tigerbeetle: {')
      .replace('engine: evm', 'engine: tigerbeetle')
    expect(problemsOf(text)).toEqual([
      'settlement.engines.tigerbeetle (line 6): "tigerbeetle" stands for the ledger in health replies. Give the engine another name, e.g. that of its network',
    ])
  })

  it('refuses an engine name that cannot stand in metrics', () => {
    const [problem] = problemsOf(settling('threshold: "5"').replace('    evm: {', '    Evm: {'))
    expect(problem).toContain('settlement.engines.Evm')
  })

  it('refuses a secret in the clear, and knows that the token of an asset is none', () => {
    const engine = (more: string) =>
      settling('threshold: "5"').replace('{ type: evm }', `{ type: evm, ${more} }`)
    expect(problemsOf(engine('assets: { USD: { token: native } }'))).toEqual([])
    expect(problemsOf(engine('assets: { USD: { token: "0x12" } }'))).toEqual([])
    expect(problemsOf(engine('token: abc'))[0]).toContain(
      'settlement.engines.evm.token (line 6): a secret is written in the clear',
    )
  })

  it.each([
    [
      'a threshold that is not below what may be owed',
      settling('threshold: "5"', '    payableLimit: "5"\n'),
      'peers[0].settlement.threshold: is not below payableLimit, 5: packets to "a" stop before it is paid',
    ],
    [
      'a minimum above the threshold',
      settling('threshold: "5", minAmount: "6"'),
      'peers[0].settlement.minAmount: is above threshold, 5, and counts first',
    ],
    [
      'an engine that nobody uses',
      `${GOOD}${ENGINES}`,
      'settlement.engines.evm: no peer settles with it yet',
    ],
  ])('warns of %s', (_, text, warning) => {
    expect(loadText(text).warnings).toContain(warning)
  })
})

import { describe, expect, it } from 'vitest'
import {
  checkEvmAccountOptions,
  checkEvmOptions,
  parseEngineOptions,
} from '../../../settlement-engines/evm/engine/evm-options.ts'
import { EngineConfigError } from '../../../src/settlement/engine.ts'

/** With its checksum: the first example of EIP-55. */
const ADDRESS = '0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed'
const KEY = `0x${'5e'.repeat(32)}`
const USD = {
  token: ADDRESS,
  deposit: '100',
  maxDepositPerChannel: '200',
  totalBudget: '300',
  claimAtValue: '50',
}
/** As it stands in a configuration; the files and the node need not be there. */
const SECTION = {
  type: 'evm',
  rpcUrls: ['https://user:canary@rpc.test/v1/canary'],
  chainId: 1,
  contract: ADDRESS,
  keys: { fundingKeyFile: '/nowhere/funding.json', claimKeyFile: '/nowhere/claim.json' },
  assets: { USD },
}

/** Of a section with changes: what is wrong, by path. */
function problems(change: Record<string, unknown>): Record<string, string> {
  const found = checkEvmOptions({ ...SECTION, ...change })
  return Object.fromEntries(found.map(({ message, path }) => [path, message]))
}

describe('options of the evm engine', () => {
  it('are checked without files, network, name and directory', () => {
    expect(checkEvmOptions(SECTION)).toEqual([])
    expect(checkEvmOptions({ ...SECTION, name: 'evm', directory: '/nowhere' })).toEqual([])
  })

  it('take an address in one case, and in mixed case with its checksum alone', () => {
    for (const contract of [ADDRESS.toLowerCase(), `0x${ADDRESS.slice(2).toUpperCase()}`]) {
      expect(problems({ contract })).toEqual({})
    }
    const contract = ADDRESS.replace('aA', 'Aa')
    expect(problems({ contract }).contract).toContain('checksum')
    expect(problems({ assets: { USD: { ...USD, token: contract } } })['assets.USD.token']).toContain(
      'checksum',
    )
    const account = checkEvmAccountOptions({ mode: 'transfer', peerAddress: contract })
    expect(account).toMatchObject([{ path: 'peerAddress' }])
  })

  it('are all told at once, each with its place', () => {
    const change = { chainId: 0, contract: 'x', assets: { USD: { ...USD, deposit: 100, token: '0x1' } } }
    expect(Object.keys(problems(change)).sort()).toEqual([
      'assets.USD.deposit',
      'assets.USD.token',
      'chainId',
      'contract',
    ])
    expect(problems({ colour: 'blue' })['']).toContain('colour')
  })

  it.each([
    ['a number', 100],
    ['a fraction', '1.5'],
    ['an exponent', '1e6'],
    ['a sign', '-1'],
    ['nothing', ''],
    ['a leading zero', '010'],
    ['too many digits', '1'.repeat(39)],
  ])('refuse %s as an amount, and say what it must be', (_, deposit) => {
    expect(problems({ assets: { USD: { ...USD, deposit } } })).toEqual({
      'assets.USD.deposit': 'must be a whole number of at most 38 digits, in quotes',
    })
  })

  it.each(['ws://rpc.test/canary', 'canary', 'file:///canary', ''])(
    'refuse %j as a node, without repeating it',
    (url) => {
      const found = problems({ rpcUrls: [url] })
      expect(found).toEqual({ 'rpcUrls.0': 'must be an http:// or https:// URL' })
    },
  )

  it('refuse a key in the place of its file, without repeating it', () => {
    for (const name of [KEY, KEY.slice(2), `/etc/causeway/${KEY}`]) {
      const found = problems({ keys: { ...SECTION.keys, fundingKeyFile: name } })
      expect(found).toEqual({ 'keys.fundingKeyFile': 'must be the name of a file, not the key itself' })
    }
  })

  it('refuse amounts that contradict each other, and a token under two codes', () => {
    expect(problems({ assets: { USD: { ...USD, totalBudget: '150' } } })['assets.USD']).toContain(
      'contradict',
    )
    const both = { USD, EUR: { ...USD, token: ADDRESS.toLowerCase() } }
    expect(problems({ assets: both })['assets.EUR.token']).toContain('that of USD')
  })

  it('say what finality can be', () => {
    for (const finality of ['finalized', { kind: 'soon' }]) {
      expect(Object.values(problems({ finality })).join()).toContain('{kind: finalized}')
    }
    expect(problems({ finality: { kind: 'blocks', depth: 12 } })).toEqual({})
  })

  it('stop an engine that is made with them', () => {
    const { type: _, ...options } = SECTION
    const make = (change: object) => () => parseEngineOptions({ ...options, directory: '.', ...change })
    expect(make({})).not.toThrow()
    expect(make({ rpcUrls: ['canary'] })).toThrow(EngineConfigError)
    expect(make({ rpcUrls: ['canary'] })).toThrow('rpcUrls.0: must be an http:// or https:// URL')
  })

  it('of an account need to know where a transfer goes', () => {
    expect(checkEvmAccountOptions({})).toEqual([])
    expect(checkEvmAccountOptions({ mode: 'transfer', peerAddress: ADDRESS })).toEqual([])
    expect(checkEvmAccountOptions({ mode: 'transfer' })).toMatchObject([{ path: 'peerAddress' }])
    expect(checkEvmAccountOptions({ peerAddress: 'bob' })).toMatchObject([
      { path: 'peerAddress', message: 'must be an address: 0x and 40 hexadecimal digits' },
    ])
    expect(checkEvmAccountOptions({ mode: 'gift' })).toMatchObject([{ path: 'mode' }])
  })
})

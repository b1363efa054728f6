import { describe, expect, it } from 'vitest'
import { checkEngineNames } from '../../../src/node/check-engine-names.ts'

describe('the names of engines', () => {
  it.each([
    ['a first start', ['evm'], [], [], []],
    ['the same engines', ['evm', 'base'], [], ['base', 'evm'], []],
    ['one more engine', ['evm', 'base'], [], ['evm'], []],
    ['one engine less', ['evm'], [], ['evm', 'base'], ['base']],
    ['no engine any more', [], [], ['evm'], ['evm']],
    ['no engine but a retired one', [], ['evm'], ['evm'], []],
    ['a new engine in the place of a retired one', ['base'], ['evm'], ['evm'], []],
  ])('are fine with %s, and tell who is gone', (_, configured, retired, inBooks, gone) => {
    expect(checkEngineNames({ configured, retired, inBooks })).toEqual(gone)
  })

  it('keep a node from starting when an engine may have been renamed', () => {
    const names = { configured: ['evm', 'mainnet'], retired: [], inBooks: ['evm', 'chain'] }
    expect(() => checkEngineNames(names)).toThrow(
      'settlement.engines: "mainnet" is new, and "chain", which has settled, is gone. An engine keeps its name for good: give it back if it is the same engine. If it is another one, add "chain" to settlement.retiredEngines',
    )
  })
})

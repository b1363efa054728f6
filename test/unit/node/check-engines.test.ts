import { describe, expect, it } from 'vitest'
import { checkEngines } from '../../../src/node/check-engines.ts'
import { child, GOOD, loadText } from '../config/config-helpers.ts'

/** In capitals: without a checksum. */
const ADDRESS = `0x${'AB'.repeat(20)}`
const AMOUNTS = `deposit: "5", maxDepositPerChannel: "10", totalBudget: "20", claimAtValue: "3"`
const evm = (more = '') => `settlement:
  engines:
    evm:
      type: evm
      rpcUrls: ["http://127.0.0.1:8545"]
      chainId: 1
      contract: "${ADDRESS}"
      keys: { fundingKeyFile: funding, claimKeyFile: claim }
      assets: { USD: { token: "${ADDRESS}", ${AMOUNTS} } }
${more}`
const peer = (settlement: string) => `peers:\n${child('a', `    settlement: { ${settlement} }\n`)}`
const check = async (text: string) => await checkEngines(loadText(`${GOOD}${text}`))

describe('check-config over settlement engines', () => {
  it('has nothing to say of sections that work', async () => {
    expect(await check(`${evm()}${peer('engine: evm, threshold: "5"')}`)).toEqual([])
    const rfc38 = `settlement:
  engines:
    far: { type: rfc38, url: "http://127.0.0.1:3000", listen: { port: 0 } }
`
    expect(await check(`${rfc38}${peer('engine: far, threshold: "5"')}`)).toEqual([])
  })

  it.each([
    ['an option that the engine does not have', evm('      colour: red\n'), 'settlement.engines.evm'],
    ['an option that only the node gives', evm('      directory: x\n'), 'settlement.engines.evm.directory'],
    [
      'an amount that is none',
      evm().replace('deposit: "5"', 'deposit: "-5"'),
      'settlement.engines.evm.assets.USD.deposit',
    ],
    [
      'an address with a mistyped digit',
      evm().replace(`contract: "${ADDRESS}"`, 'contract: "0x5FbDB2315678afecb367f032d93F642f64180aa4"'),
      'settlement.engines.evm.contract',
    ],
    [
      'a URL that is none',
      'settlement: { engines: { far: { type: rfc38, url: x, listen: { port: 0 } } } }\n',
      'settlement.engines.far.url',
    ],
    [
      'options of a peer that the engine does not have',
      `${evm()}${peer('engine: evm, threshold: "5", options: { mode: barter }')}`,
      'peers[0].settlement.options.mode',
    ],
    [
      'a peer in an asset that the engine does not know',
      `${evm().replace('USD:', 'EUR:')}${peer('engine: evm, threshold: "5"')}`,
      'peers[0].settlement.options',
    ],
  ])('tells of %s, and where', async (_, text, path) => {
    const problems = await check(text)
    expect(problems.map((problem) => problem.path)).toEqual([path])
  })

  it('refuses two engines with one key on one chain, and takes them on two', async () => {
    const section = evm().split('    evm:\n')[1]!
    const two = (change: (text: string) => string) => `${evm()}    other:\n${change(section)}`
    const problems = await check(two((text) => text))
    expect(problems.map(({ path }) => path)).toEqual(['settlement.engines.other.keys.fundingKeyFile'])
    expect(problems[0]?.message).toContain('is that of "evm" too')
    expect(await check(two((text) => text.replace('chainId: 1', 'chainId: 2')))).toEqual([])
    expect(await check(two((text) => text.replace('fundingKeyFile: funding', 'fundingKeyFile: x')))).toEqual(
      [],
    )
  })
})

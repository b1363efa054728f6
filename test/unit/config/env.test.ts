import { describe, expect, it } from 'vitest'
import { parsePath } from '../../../src/config/config-path.ts'
import { toVariable } from '../../../src/config/overlay.ts'
import { child, GOOD, loadText, problemsOf } from './config-helpers.ts'

describe('environment variables', () => {
  it('set values by path, words parted by one underscore', () => {
    const env = {
      HEALTH_CHECK_PORT: '9090',
      CAUSEWAY__ADMIN__TRUST_PROXY: 'true',
      CAUSEWAY__PLUGINS__ILP_HTTP__LISTEN__PORT: '7770',
      CAUSEWAY__RATES__PROVIDER: 'fixed',
      CAUSEWAY__RATES__PRICES__XRP: '0.5',
      CAUSEWAY__NODE__PACKETS_IN_FLIGHT: '77',
    }
    const { config } = loadText(GOOD, { env })
    expect(config.admin).toMatchObject({ port: 9090, trustProxy: true })
    expect(config.plugins['ilp-http'].listen).toEqual({ host: '127.0.0.1', port: 7770 })
    expect(config.rates).toMatchObject({ prices: { XRP: '0.5' } })
    expect(config.node.packetsInFlight).toBe(77)
  })

  it('give keys of plugins in camel case and with their own types', () => {
    const env = {
      CAUSEWAY__PLUGINS__BTP__AUTH_DEADLINE_MS: '750',
      CAUSEWAY__PLUGINS__BTP__ALLOW_SHORT_TOKENS: 'false',
    }
    expect(loadText(GOOD, { env }).config.plugins.btp).toEqual({
      authDeadlineMs: 750,
      allowShortTokens: false,
    })
  })

  it('reach peers of the file by their id', () => {
    const env = {
      CAUSEWAY__PEERS__SHOP_1__CREDIT_LIMIT: '5000',
      CAUSEWAY__PEERS__SHOP_1__LIMITS__PACKETS_PER_SECOND: '9',
    }
    const [peer] = loadText(`${GOOD}peers:\n${child('shop-1')}`, { env }).config.peers
    expect(peer?.creditLimit).toBe('5000')
    expect(peer?.limits.packetsPerSecond).toBe(9)
  })

  it('take lists and sections as YAML or JSON on one line', () => {
    const env = { CAUSEWAY__ROUTES: '[{"prefix": "", "peer": "a"}]' }
    expect(loadText(`${GOOD}peers:\n${child('a')}`, { env }).config.routes).toEqual([
      { prefix: '', peer: 'a' },
    ])
  })

  it('keep what looks like a number a string where a string is wanted', () => {
    expect(loadText(GOOD, { env: { CAUSEWAY__NODE__ID: '42' } }).config.node.id).toBe('42')
  })

  it('count as not set when they are empty', () => {
    expect(loadText(GOOD, { env: { LOG_LEVEL: '', CAUSEWAY__ADMIN__PORT: '' } }).config.admin.port).toBe(8080)
  })

  it.each([
    [
      { CAUSEWAY__ADMIN__PROT: '1' },
      'admin (CAUSEWAY__ADMIN__PROT): admin has no key "PROT". Did you mean CAUSEWAY__ADMIN__PORT?',
    ],
    [
      { CAUSEWAY__: '1' },
      '(CAUSEWAY__): the configuration has no key "". Known there: node, plugins, peers, routes, rates, ledger, settlement, accounts, spsp, admin, logging',
    ],
    [
      { CAUSEWAY__PEERS__NOBODY__SPREAD: '0' },
      'peers (CAUSEWAY__PEERS__NOBODY__SPREAD): the configuration file has no entry "NOBODY" in peers. Name an id of the list, or set the value in the file',
    ],
    [
      { CAUSEWAY__ADMIN__PORT__X: '1' },
      'admin.port (CAUSEWAY__ADMIN__PORT__X): admin.port has no key "X". Known there: nothing',
    ],
  ])('that name nothing are errors: %o', (env, problem) => {
    expect(problemsOf(`${GOOD}peers:\n${child('a')}`, { env: env })).toEqual([problem])
  })

  it('cannot reach into prototypes', () => {
    const env = {
      CAUSEWAY__PLUGINS____PROTO____POLLUTED: 'yes',
      CAUSEWAY__PLUGINS__CONSTRUCTOR__PROTOTYPE__POLLUTED: 'yes',
    }
    problemsOf(GOOD, { env })
    expect(({} as { polluted?: string }).polluted).toBeUndefined()
  })
})

describe('names of variables', () => {
  it('are the path in capitals', () => {
    expect(toVariable(['plugins', 'ilp-http', 'listen', 'port'])).toBe(
      'CAUSEWAY__PLUGINS__ILP_HTTP__LISTEN__PORT',
    )
    expect(toVariable(['node', 'ilpAddress'])).toBe('CAUSEWAY__NODE__ILP_ADDRESS')
  })
})

describe('paths', () => {
  it('are read as they are written', () => {
    expect(parsePath('peers[3].link.ilp-http')).toEqual(['peers', 3, 'link', 'ilp-http'])
  })
})

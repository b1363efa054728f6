import { describe, expect, it } from 'vitest'
import { child, GOOD, loadText, problemsOf } from './config-helpers.ts'

const PRODUCTION = 'node: { ilpAddress: g.me }\n'
const peer = (id: string, more = '') => child(id, more).replace('child', 'peer')
const parent = (id: string) => child(id).replace('child', 'parent')
const warningsOf = (text: string) => loadText(text).warnings

describe('cross checks of peers', () => {
  it.each([
    [
      'the same id twice',
      `${GOOD}peers:\n${child('a')}${peer('a')}`,
      'peers[1].id (line 10): the id "a" is already taken by peers[0]. Every peer and account needs an id of its own; rename one',
    ],
    [
      'an account with the id of a peer',
      `${GOOD}peers:\n${peer('a')}accounts:\n  - { id: a, asset: { code: USD, scale: 2 } }\n`,
      'accounts[0].id (line 11): the id "a" is already taken by peers[0]. Every peer and account needs an id of its own; rename one',
    ],
    [
      'two parents',
      `${GOOD}peers:\n${parent('a')}${parent('b')}`,
      'peers (line 5): there is more than one parent: "a" and "b". A node asks one parent for its address; make the others relation: peer and set node.ilpAddress',
    ],
    [
      'no address and no parent',
      'node: { id: a }\n',
      'node.ilpAddress (line 1): is missing, and there is no parent to ask for one. Set node.ilpAddress, or add a peer with relation: parent',
    ],
    [
      'two children with one segment',
      `${GOOD}peers:\n${child('a')}${child('b', '    addressSegment: a\n')}`,
      'peers[1].addressSegment (line 15): the address segment "a" is already used by peers[0]. Two children with one address would get each other’s money; choose another segment',
    ],
    [
      'a segment of a local account',
      `${GOOD}accounts:\n  - { id: x, asset: { code: USD, scale: 2 } }\npeers:\n${child('b', '    addressSegment: x\n')}`,
      'peers[0].addressSegment (line 12): the address segment "x" is already used by accounts[0]. Two children with one address would get each other’s money; choose another segment',
    ],
    [
      'a window that leaves no time',
      `${GOOD}peers:\n${peer('a', '    limits: { minMessageWindowMs: 5000, maxHoldTimeMs: 5000 }\n')}`,
      'peers[0].limits.minMessageWindowMs (line 10): 5000 ms leave nothing of maxHoldTimeMs, 5000 ms. Make the message window smaller than the longest hold',
    ],
  ])('refuse %s', (_, text, problem) => {
    expect(problemsOf(text)).toEqual([problem])
  })

  it('refuse a child whose address would be too long', () => {
    const text = `node: { environment: test, ilpAddress: test.${'a'.repeat(1000)} }\npeers:\n${child('b'.repeat(60))}`
    expect(problemsOf(text)[0]).toContain(
      "the child's address would be 1066 characters long; ILP allows 1023",
    )
  })

  it.each([
    [
      'credit of zero',
      `${GOOD}peers:\n${peer('a').replace('"1000"', '"0"')}`,
      'peers[0].creditLimit: is 0, so packets with money from "a" are refused (T04) until it is owed something',
    ],
    [
      'packets above the credit limit',
      `${GOOD}peers:\n${peer('a', '    limits: { maxPacketAmount: "1001" }\n')}`,
      'peers[0].limits.maxPacketAmount: is above creditLimit, 1000: the largest packets pass only while "a" is owed something',
    ],
    [
      'packets above the throughput',
      `${GOOD}peers:\n${peer('a', '    limits: { maxPacketAmount: "100", incomingAmountPerSecond: "99" }\n')}`,
      'peers[0].limits.maxPacketAmount: is above incomingAmountPerSecond, 99: packets between the two never pass',
    ],
    [
      'packets larger than any packet',
      `${GOOD}peers:\n${peer('a', '    limits: { maxPacketAmount: "18446744073709551616" }\n').replace('"1000"', '"99999999999999999999"')}`,
      'peers[0].limits.maxPacketAmount: has no effect, since no packet can carry more than 18446744073709551615',
    ],
    [
      'a segment of a peer that is no child',
      `${GOOD}peers:\n${peer('a', '    addressSegment: b\n')}`,
      'peers[0].addressSegment: has no effect, since "a" is not a child',
    ],
  ])('warn of %s', (_, text, warning) => {
    expect(warningsOf(text)).toContain(warning)
  })
})

describe('cross checks of addresses and routes', () => {
  it.each([
    [
      'a test address in production',
      'node: { ilpAddress: test.me }\n',
      'node.ilpAddress (line 1): "test.me" is a test address, but node.environment is production. Use an address of the live network (g.…), or set node.environment: test',
    ],
    [
      'a live address in a test node',
      'node: { ilpAddress: g.me, environment: test }\n',
      'node.ilpAddress (line 1): "g.me" is an address of the live network, but node.environment is test. Use an address that starts with test., or set node.environment: production',
    ],
    [
      'an address that is never routed',
      'node: { ilpAddress: peer.me }\n',
      'node.ilpAddress (line 1): "peer.me" is in a reserved scheme that is never routed. Use an address that starts with g., private. or test.',
    ],
    [
      'a route to nobody',
      `${PRODUCTION}routes: [{ prefix: g.x, peer: nobody }]\n`,
      'routes[0].peer (line 2): there is no peer "nobody". Add the peer under peers',
    ],
    [
      'a prefix routed twice',
      `${PRODUCTION}peers:\n${peer('a', '    routes: [g.x]\n')}routes: [{ prefix: g.x, peer: a }]\n`,
      'routes[0] (line 9): the prefix "g.x" is already routed by peers[0].routes[0]. A prefix goes to one peer; remove one of the two',
    ],
    [
      'a route into a test network in production',
      `${PRODUCTION}peers:\n${peer('a', '    routes: [test.x]\n')}`,
      'peers[0].routes[0] (line 8): "test.x" leads into a test network, but node.environment is production. A node runs on one network only; remove the route',
    ],
    [
      'a route to the node itself',
      `${PRODUCTION}peers:\n${peer('a', '    routes: [g.me]\n')}`,
      'peers[0].routes[0] (line 8): "g.me" is this node\'s own address. Packets to it end here; remove the route',
    ],
  ])('refuse %s', (_, text, problem) => {
    expect(problemsOf(text)).toEqual([problem])
  })

  it('warn of a route below the node itself', () => {
    expect(warningsOf(`${PRODUCTION}peers:\n${peer('a', '    routes: [g.me.b]\n')}`)).toContain(
      'peers[0].routes[0]: "g.me.b" lies below this node\'s own address, where children and accounts live',
    )
  })
})

describe('cross checks of ledger and rates', () => {
  it.each([
    [
      'tigerbeetle without a cluster',
      'ledger: { backend: tigerbeetle }\n',
      'ledger.tigerbeetle (line 4): is missing, but ledger.backend is tigerbeetle. Add ledger.tigerbeetle.addresses, or set ledger.backend: sqlite',
    ],
    [
      'sqlite shared by processes',
      'ledger: { mode: shared }\n',
      'ledger.mode (line 4): shared needs a ledger that several processes can write, and sqlite has one writer. Set ledger.backend: tigerbeetle, or ledger.mode: exclusive',
    ],
    [
      'a replica without a port',
      'ledger: { backend: tigerbeetle, tigerbeetle: { addresses: ["10.0.0.1"] } }\n',
      'ledger.tigerbeetle.addresses[0] (line 4): given "10.0.0.1", but expected host:port. Write e.g. "127.0.0.1:3000"',
    ],
    [
      'a price of zero',
      'rates: { provider: fixed, prices: { XRP: "0.000" } }\n',
      'rates.prices.XRP (line 4): the price of XRP is zero. Give a positive price, or remove the asset',
    ],
  ])('refuse %s', (_, text, problem) => {
    expect(problemsOf(`${GOOD}${text}`)).toEqual([problem])
  })

  it('warn of settings without effect', () => {
    const section = 'tigerbeetle: { addresses: ["127.0.0.1:3000"] }'
    expect(warningsOf(`${GOOD}ledger: { ${section} }\n`)).toEqual([
      'ledger.tigerbeetle: has no effect, since ledger.backend is sqlite',
    ])
    expect(
      warningsOf(`${GOOD}ledger: { backend: tigerbeetle, mode: shared, relay: immediately, ${section} }\n`),
    ).toEqual(['ledger.relay: has no effect in shared mode, where every packet is booked before its reply'])
  })

  it('warn of replies before they are booked, in production', () => {
    expect(warningsOf(`${PRODUCTION}ledger: { relay: immediately }\n`)).toEqual([
      'ledger.relay: immediately may lose the packets of the last moments before a crash',
    ])
  })

  it('warn of assets without a price, once there are two', () => {
    const one = `${GOOD}peers:\n${peer('a').replace('USD', 'XRP')}`
    expect(warningsOf(one)).toEqual([])
    expect(warningsOf(`${one}${peer('b')}`)).toEqual([
      'rates.prices: has no price for XRP; packets between XRP and other assets are refused (T00)',
    ])
  })
})

describe('cross checks of the network', () => {
  it('refuse two listeners on one port', () => {
    expect(problemsOf(`${GOOD}plugins: { btp: { listen: { port: 8080 } } }\n`)).toEqual([
      'plugins.btp.listen (line 4): port 8080 is already used by admin.host. Give each listener a port of its own',
    ])
    expect(problemsOf(`${GOOD}plugins: { btp: { listen: { port: 0 } } }\nadmin: { port: 0 }\n`)).toEqual([])
  })

  it('warn of listeners that others can reach without TLS', () => {
    const text = `${GOOD}admin: { host: 0.0.0.0 }\nplugins: { btp: { listen: { host: "::", port: 1 }, tls: {} }, ilp-http: { listen: { host: 10.0.0.1, port: 2 } } }\n`
    expect(warningsOf(text)).toEqual([
      'admin.host: listens on 0.0.0.0 without TLS; put a TLS proxy in front of it, or bind to 127.0.0.1',
      'plugins.ilp-http.listen: listens on 10.0.0.1 without TLS; put a TLS proxy in front of it, or bind to 127.0.0.1',
    ])
    expect(
      warningsOf(`${GOOD}admin: { host: "::1" }\nspsp: { listen: { host: localhost, port: 3 } }\n`),
    ).toEqual([])
  })

  it('warn of connections that others can read', () => {
    const link = (options: string) => `${GOOD}peers:\n${peer('a').replace(/\{ plugin.*\}/, options)}`
    expect(warningsOf(link('{ plugin: btp, url: "btp+ws://peer.example:1" }'))).toEqual([
      'peers[0].link.url: connects to peer.example without TLS: its token and packets can be read on the way',
    ])
    expect(warningsOf(link('{ plugin: ilp-http, outgoing: { url: "http://[2001:db8::1]/ilp" } }'))).toEqual([
      'peers[0].link.outgoing.url: connects to [2001:db8::1] without TLS: its token and packets can be read on the way',
    ])
    expect(warningsOf(link('{ plugin: btp, url: "ws://[::1]:7768" }'))).toEqual([])
    expect(warningsOf(link('{ plugin: btp, url: "wss://peer.example" }'))).toEqual([])
  })

  it('refuse a public URL for payment pointers that is not https in production', () => {
    const text = `${PRODUCTION}spsp: { listen: { port: 1 }, publicUrl: "http://pay.example" }\n`
    expect(problemsOf(text)).toEqual([
      'spsp.publicUrl (line 2): "http://pay.example" is not an https URL, but node.environment is production. Payment pointers stand for https URLs; put a TLS proxy in front and give its URL',
    ])
  })

  it('warn of accounts without payment pointers', () => {
    expect(warningsOf(`${GOOD}accounts: [{ id: a, asset: { code: USD, scale: 2 } }]\n`)).toEqual([
      'accounts: have no payment pointers, since spsp.listen is not set',
    ])
  })
})

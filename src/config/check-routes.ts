import type { CheckReport } from './check-report.ts'
import type { Config } from './schema.ts'

/** Schemes of networks without real money (RFC 15). */
const TEST_SCHEME = /^(test[1-3]?|example)(\.|$)/
/** Schemes that no node may have as its address: they end at the next hop or inside the node. */
const RESERVED_SCHEME = /^(peer|self|local)\./

/** Checks addresses and routes against peers and environment. */
export function checkRoutes(config: Config, report: CheckReport): void {
  checkAddress(config, report)
  const routes = [
    ...config.peers.flatMap((peer, index) =>
      peer.routes.map((prefix, entry) => ({
        prefix,
        peer: peer.id,
        place: `peers[${index}].routes[${entry}]`,
      })),
    ),
    ...config.routes.map((route, index) => ({ ...route, place: `routes[${index}]` })),
  ]
  const peers = new Set(config.peers.map((peer) => peer.id))
  const taken = new Map<string, string>()
  for (const { prefix, peer, place } of routes) {
    if (!peers.has(peer)) {
      report.problems.push({
        path: `${place}.peer`,
        message: `there is no peer "${peer}"`,
        fix: peers.size === 0 ? 'Add the peer under peers' : `Name one of the peers, or add it under peers`,
      })
    }
    const other = taken.get(prefix)
    if (other !== undefined) {
      report.problems.push({
        path: place,
        message: `the prefix "${prefix}" is already routed by ${other}`,
        fix: 'A prefix goes to one peer; remove one of the two',
      })
    }
    taken.set(prefix, place)
    checkPrefix(prefix, place, config, report)
  }
}

function checkAddress(config: Config, report: CheckReport): void {
  const { ilpAddress, environment } = config.node
  if (ilpAddress === undefined) return
  if (RESERVED_SCHEME.test(ilpAddress)) {
    report.problems.push({
      path: 'node.ilpAddress',
      message: `"${ilpAddress}" is in a reserved scheme that is never routed`,
      fix: 'Use an address that starts with g., private. or test.',
    })
    return
  }
  if (environment === 'production' && TEST_SCHEME.test(ilpAddress)) {
    report.problems.push({
      path: 'node.ilpAddress',
      message: `"${ilpAddress}" is a test address, but node.environment is production`,
      fix: 'Use an address of the live network (g.…), or set node.environment: test',
    })
  }
  if (environment !== 'production' && ilpAddress.startsWith('g.')) {
    report.problems.push({
      path: 'node.ilpAddress',
      message: `"${ilpAddress}" is an address of the live network, but node.environment is ${environment}`,
      fix: 'Use an address that starts with test., or set node.environment: production',
    })
  }
}

function checkPrefix(prefix: string, place: string, config: Config, report: CheckReport): void {
  const { ilpAddress, environment } = config.node
  if (environment === 'production' && TEST_SCHEME.test(prefix)) {
    report.problems.push({
      path: place,
      message: `"${prefix}" leads into a test network, but node.environment is production`,
      fix: 'A node runs on one network only; remove the route',
    })
  }
  if (ilpAddress === undefined || prefix === '') return
  if (prefix === ilpAddress) {
    report.problems.push({
      path: place,
      message: `"${prefix}" is this node's own address`,
      fix: 'Packets to it end here; remove the route',
    })
  } else if (prefix.startsWith(`${ilpAddress}.`)) {
    report.warnings.push(
      `${place}: "${prefix}" lies below this node's own address, where children and accounts live`,
    )
  }
}

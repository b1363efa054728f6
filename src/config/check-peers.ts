import type { CheckReport } from './check-report.ts'
import type { Config, PeerConfig } from './schema.ts'

/** Longest ILP address (RFC 15). */
const ADDRESS_LENGTH_MAX = 1023
/** Largest amount of a packet (RFC 27: UInt64). */
const PACKET_AMOUNT_MAX = 2n ** 64n - 1n

/** Checks peers, children's addresses and local accounts against each other. */
export function checkPeers(config: Config, report: CheckReport): void {
  checkIds(config, report)
  checkParents(config, report)
  checkSegments(config, report)
  config.peers.forEach((peer, index) => {
    checkLimits(peer, `peers[${index}]`, config, report)
  })
}

function checkIds(config: Config, report: CheckReport): void {
  const places = new Map<string, string>()
  const entries = [
    ...config.peers.map((peer, index) => ({ id: peer.id, place: `peers[${index}]` })),
    ...config.accounts.map((account, index) => ({ id: account.id, place: `accounts[${index}]` })),
  ]
  for (const { id, place } of entries) {
    const other = places.get(id)
    if (other === undefined) {
      places.set(id, place)
      continue
    }
    report.problems.push({
      path: `${place}.id`,
      message: `the id "${id}" is already taken by ${other}`,
      fix: 'Every peer and account needs an id of its own; rename one',
    })
  }
}

function checkParents(config: Config, report: CheckReport): void {
  const parents = config.peers.filter((peer) => peer.relation === 'parent')
  if (parents.length > 1) {
    const names = parents.map((peer) => `"${peer.id}"`).join(' and ')
    report.problems.push({
      path: 'peers',
      message: `there is more than one parent: ${names}`,
      fix: 'A node asks one parent for its address; make the others relation: peer and set node.ilpAddress',
    })
  }
  if (parents.length === 0 && config.node.ilpAddress === undefined) {
    report.problems.push({
      path: 'node.ilpAddress',
      message: 'is missing, and there is no parent to ask for one',
      fix: 'Set node.ilpAddress, or add a peer with relation: parent',
    })
  }
}

function checkSegments(config: Config, report: CheckReport): void {
  const owners = new Map(config.accounts.map((account, index) => [account.id, `accounts[${index}]`]))
  config.peers.forEach((peer, index) => {
    const place = `peers[${index}]`
    if (peer.relation !== 'child') {
      if (peer.addressSegment !== undefined) {
        report.warnings.push(`${place}.addressSegment: has no effect, since "${peer.id}" is not a child`)
      }
      return
    }
    const segment = peer.addressSegment ?? peer.id
    const other = owners.get(segment)
    // The same id is reported as such already.
    const isOwnId = peer.addressSegment === undefined
    if (other !== undefined && !isOwnId) {
      report.problems.push({
        path: `${place}.addressSegment`,
        message: `the address segment "${segment}" is already used by ${other}`,
        fix: 'Two children with one address would get each other’s money; choose another segment',
      })
    }
    owners.set(segment, place)
    const address = `${config.node.ilpAddress ?? ''}.${segment}`
    if (address.length > ADDRESS_LENGTH_MAX) {
      report.problems.push({
        path: `${place}.addressSegment`,
        message: `the child's address would be ${address.length} characters long; ILP allows ${ADDRESS_LENGTH_MAX}`,
        fix: 'Choose a shorter node.ilpAddress or segment',
      })
    }
  })
}

function checkLimits(peer: PeerConfig, place: string, config: Config, report: CheckReport): void {
  const credit = BigInt(peer.creditLimit)
  const { limits } = peer
  if (credit === 0n) {
    report.warnings.push(
      `${place}.creditLimit: is 0, so packets with money from "${peer.id}" are refused (T04) until it is owed something`,
    )
  }
  if (limits.minMessageWindowMs >= limits.maxHoldTimeMs) {
    report.problems.push({
      path: `${place}.limits.minMessageWindowMs`,
      message: `${limits.minMessageWindowMs} ms leave nothing of maxHoldTimeMs, ${limits.maxHoldTimeMs} ms`,
      fix: 'Make the message window smaller than the longest hold',
    })
  }
  if (limits.packetsInFlight > config.node.packetsInFlight) {
    report.warnings.push(
      `${place}.limits.packetsInFlight: is above node.packetsInFlight, ${config.node.packetsInFlight}, which counts first`,
    )
  }
  checkPacketAmount(peer, place, credit, report)
}

function checkPacketAmount(peer: PeerConfig, place: string, credit: bigint, report: CheckReport): void {
  const { maxPacketAmount, incomingAmountPerSecond, amountInFlight } = peer.limits
  if (maxPacketAmount === undefined) return
  const amount = BigInt(maxPacketAmount)
  const name = `${place}.limits.maxPacketAmount`
  if (amount === 0n) report.warnings.push(`${name}: is 0, so no packet with money from "${peer.id}" passes`)
  if (amount > PACKET_AMOUNT_MAX) {
    report.warnings.push(`${name}: has no effect, since no packet can carry more than ${PACKET_AMOUNT_MAX}`)
  }
  if (credit > 0n && amount > credit) {
    report.warnings.push(
      `${name}: is above creditLimit, ${credit}: the largest packets pass only while "${peer.id}" is owed something`,
    )
  }
  for (const [key, limit] of Object.entries({ incomingAmountPerSecond, amountInFlight })) {
    if (limit !== undefined && BigInt(limit) < amount) {
      report.warnings.push(`${name}: is above ${key}, ${limit}: packets between the two never pass`)
    }
  }
}

import type { CheckReport } from './check-report.ts'
import type { Config, PeerConfig } from './schema.ts'

/** Engines are few: one per chain, and one per foreign engine. */
const ENGINES_MAX = 16
/** Keys of the health reply that are not engines. */
const RESERVED_NAMES = ['tigerbeetle']

/** Checks how peers settle against the engines and their own limits. */
export function checkSettlement(config: Config, report: CheckReport): void {
  const engines = new Set(Object.keys(config.settlement.engines))
  if (engines.size > ENGINES_MAX) {
    report.problems.push({
      path: 'settlement.engines',
      message: `there are ${engines.size} engines; a node runs at most ${ENGINES_MAX}`,
      fix: 'Remove those that no peer settles with',
    })
  }
  for (const name of RESERVED_NAMES.filter((reserved) => engines.has(reserved))) {
    report.problems.push({
      path: `settlement.engines.${name}`,
      message: `"${name}" stands for the ledger in health replies`,
      fix: 'Give the engine another name, e.g. that of its network',
    })
  }
  const used = new Set<string>()
  config.peers.forEach((peer, index) => {
    if (peer.settlement === undefined) return
    used.add(peer.settlement.engine)
    checkEngine(peer.settlement.engine, `peers[${index}].settlement.engine`, engines, report)
    checkTerms(peer, `peers[${index}].settlement`, report)
  })
  for (const engine of engines) {
    if (!used.has(engine)) report.warnings.push(`settlement.engines.${engine}: no peer settles with it yet`)
  }
  if (config.ledger.mode === 'shared' && engines.size > 0) {
    report.warnings.push(
      'settlement.engines: of the processes that share a ledger, one alone may settle an account: the others must not have settlement in its peer, and names of engines must differ: money outside is booked by engine name, and each process compares it with its own journal alone',
    )
  }
}

function checkEngine(engine: string, path: string, engines: ReadonlySet<string>, report: CheckReport): void {
  if (engines.has(engine)) return
  const names = [...engines].map((name) => `"${name}"`).join(', ')
  report.problems.push({
    path,
    message: `there is no settlement engine "${engine}"`,
    fix:
      names === ''
        ? `Add settlement.engines.${engine}`
        : `Name one of ${names}, or add it under settlement.engines`,
  })
}

function checkTerms(peer: PeerConfig, path: string, report: CheckReport): void {
  const { threshold, settleTo, minAmount, maxAmount } = peer.settlement!
  const problem = (key: string, message: string, fix: string) =>
    report.problems.push({ path: `${path}.${key}`, message, fix })
  if (BigInt(threshold) === 0n) problem('threshold', 'is 0', 'Give an amount above 0')
  else if (BigInt(settleTo) >= BigInt(threshold)) {
    problem('settleTo', `${settleTo} is not below threshold, ${threshold}`, 'Give less, e.g. "0"')
  }
  if (maxAmount !== undefined && (BigInt(maxAmount) === 0n || BigInt(maxAmount) < BigInt(minAmount))) {
    problem('maxAmount', `${maxAmount} is 0 or below minAmount, ${minAmount}`, 'Give more, or leave it out')
  }
  const { payableLimit } = peer
  if (payableLimit !== undefined && BigInt(payableLimit) <= BigInt(threshold)) {
    report.warnings.push(
      `${path}.threshold: is not below payableLimit, ${payableLimit}: packets to "${peer.id}" stop before it is paid`,
    )
  }
  if (BigInt(minAmount) > BigInt(threshold)) {
    report.warnings.push(`${path}.minAmount: is above threshold, ${threshold}, and counts first`)
  }
}

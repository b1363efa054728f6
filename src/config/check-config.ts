import { checkNetwork } from './check-network.ts'
import { checkPeers } from './check-peers.ts'
import type { CheckReport } from './check-report.ts'
import { checkRoutes } from './check-routes.ts'
import { checkSecrets } from './check-secrets.ts'
import { checkSettlement } from './check-settlement.ts'
import type { Config } from './schema.ts'
import type { SecretStore } from './secret-store.ts'

/** `host:port` as TigerBeetle takes it; IPv6 hosts in brackets. */
const REPLICA_ADDRESS = /^(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+):([1-9]\d{0,4})$/

/**
 * Checks what the schema cannot see: parts of the configuration against each other, and every secret that is
 * referred to. Problems make the configuration unusable; warnings do not.
 */
export function checkConfig(config: Config, secrets: SecretStore): CheckReport {
  const report: CheckReport = { problems: [], warnings: [] }
  checkPeers(config, report)
  checkRoutes(config, report)
  checkLedger(config, report)
  checkRates(config, report)
  checkSettlement(config, report)
  checkNetwork(config, report)
  checkSecrets(config, secrets, report)
  return report
}

function checkLedger(config: Config, report: CheckReport): void {
  const { backend, mode, relay, tigerbeetle } = config.ledger
  if (backend === 'tigerbeetle' && tigerbeetle === undefined) {
    report.problems.push({
      path: 'ledger.tigerbeetle',
      message: 'is missing, but ledger.backend is tigerbeetle',
      fix: 'Add ledger.tigerbeetle.addresses, or set ledger.backend: sqlite',
    })
  }
  if (backend === 'sqlite' && mode === 'shared') {
    report.problems.push({
      path: 'ledger.mode',
      message: 'shared needs a ledger that several processes can write, and sqlite has one writer',
      fix: 'Set ledger.backend: tigerbeetle, or ledger.mode: exclusive',
    })
  }
  if (backend === 'sqlite' && tigerbeetle !== undefined) {
    report.warnings.push('ledger.tigerbeetle: has no effect, since ledger.backend is sqlite')
  }
  tigerbeetle?.addresses.forEach((address, index) => {
    const port = Number(REPLICA_ADDRESS.exec(address)?.[2] ?? 0)
    if (port >= 1 && port <= 65535) return
    report.problems.push({
      path: `ledger.tigerbeetle.addresses[${index}]`,
      message: `given ${JSON.stringify(address.slice(0, 60))}, but expected host:port`,
      fix: 'Write e.g. "127.0.0.1:3000"',
    })
  })
  if (relay === 'immediately' && mode === 'shared') {
    report.warnings.push(
      'ledger.relay: has no effect in shared mode, where every packet is booked before its reply',
    )
  } else if (relay === 'immediately' && config.node.environment === 'production') {
    report.warnings.push('ledger.relay: immediately may lose the packets of the last moments before a crash')
  }
}

function checkRates(config: Config, report: CheckReport): void {
  const { rates } = config
  const assets = new Set([...config.peers, ...config.accounts].map((entry) => entry.asset.code))
  if (rates.provider !== 'fixed') return
  for (const [code, price] of Object.entries(rates.prices)) {
    if (/[1-9]/.test(price)) continue
    report.problems.push({
      path: `rates.prices.${code}`,
      message: `the price of ${code} is zero`,
      fix: 'Give a positive price, or remove the asset',
    })
  }
  if (assets.size < 2) return
  for (const code of assets) {
    if (code === rates.base || Object.hasOwn(rates.prices, code)) continue
    report.warnings.push(
      `rates.prices: has no price for ${code}; packets between ${code} and other assets are refused (T00)`,
    )
  }
  if (config.node.environment === 'production') {
    report.warnings.push(
      'rates.provider: fixed prices never change; who knows the market better can trade against them',
    )
  }
}

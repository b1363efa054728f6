import {
  type LocalAccountView,
  type NodeServices,
  type PaymentChannelView,
  type PaymentView,
  type PeerView,
  type ReconciliationView,
  ServiceError,
  type SettlementAccountView,
  type SettlementEngineView,
  type SettlementService,
  type SettlementView,
} from '../../src/admin/services.ts'
import type { AccountBalance, HistoryEntry } from '../../src/ledger/ledger.ts'
import { createLogger } from '../../src/observability/logger.ts'

/** Beyond 2^64: sums of many packets may be. */
export const HUGE = 2n ** 80n + 1n
/** Just where doubles stop being exact. */
export const EDGE = 2n ** 53n + 1n
/** Planted in settings that the fake forgot to redact: the server must not hand it out. */
export const SETTINGS_CANARY = 'canary-settings-5f3a9c'

export interface FakeServices extends NodeServices {
  /** What changed the node, in order. */
  calls: string[]
  /** Set to make the next call of `node.info` fail with it. */
  fault: Error | undefined
  history: HistoryEntry[]
}

/** A node that answers everything from memory. */
export function fakeServices(): FakeServices {
  const calls: string[] = []
  const peers = new Map<string, PeerView>([['alice', peer('alice')]])
  const payments = new Map<string, PaymentView>()
  const history: HistoryEntry[] = []
  const logs = createLogger({ level: 'info', format: 'json', nodeId: 'fake' })
  const find = (id: string): PeerView => {
    const found = peers.get(id)
    if (found === undefined) throw new ServiceError('RESOURCE_NOT_FOUND', `there is no peer "${id}"`)
    return found
  }
  const services: FakeServices = {
    calls,
    fault: undefined,
    history,
    node: {
      info: () => {
        if (services.fault !== undefined) throw services.fault
        return {
          nodeId: 'connector-1',
          version: '1.2.0',
          ilpAddress: undefined,
          startedAtMs: 1,
          state: 'running',
          ledger: {
            backend: 'sqlite',
            mode: 'exclusive',
            relay: 'after-commit',
            available: true,
            latencyMs: 2,
          },
          listening: ['btp+ws://127.0.0.1:7768'],
          packetsInFlight: 0,
        }
      },
    },
    peers: {
      list: () => [...peers.values()],
      get: (id) => peers.get(id),
      add: async (settings) => {
        const id = String(settings.id)
        if (peers.has(id)) throw new ServiceError('CONFLICT', `peer "${id}" exists already`)
        calls.push(`add ${id}`)
        peers.set(id, peer(id))
        return find(id)
      },
      change: async (id, changes) => {
        const found = find(id)
        calls.push(`change ${id} ${JSON.stringify(changes)}`)
        return found
      },
      remove: async (id) => {
        find(id)
        calls.push(`remove ${id}`)
        peers.delete(id)
      },
    },
    routes: {
      list: () => [{ prefix: '', peerId: 'alice', source: 'config' }],
      put: async (prefix, peerId) => {
        find(peerId)
        calls.push(`route ${prefix} ${peerId}`)
        return { prefix, peerId, source: 'admin' }
      },
      remove: async (prefix) => void calls.push(`unroute ${prefix}`),
      resolve: (address) =>
        address.startsWith('g.') ? { prefix: '', peerId: 'alice', source: 'config' } : undefined,
    },
    rates: {
      status: () => ({
        source: 'fixed',
        prices: { XRP: '0.5' },
        baseAsset: 'USD',
        updatedAtMs: undefined,
        stale: false,
      }),
      quote: (from, to) => (from === 'XRP' && to === 'USD' ? '0.5' : undefined),
    },
    accounts: {
      balances: async () => [balance('alice', 'clearing', EDGE), balance('fx:USD', 'fx', -HUGE)],
      history: async ({ limit, before }) => {
        const start = before === undefined ? 0 : history.findIndex((entry) => entry.cursor === before) + 1
        return history.slice(start, start + limit)
      },
      selfCheck: async () => ({
        balanced: true,
        assets: [{ assetCode: 'USD', assetScale: 9, debits: HUGE, credits: HUGE }],
      }),
      has: (id) => peers.has(id),
    },
    payments: {
      localAccounts: () => [localAccount('wallet')],
      pay: async (request) => {
        if (request.fromAccount === 'broke') throw new ServiceError('CONFLICT', 'not enough money')
        calls.push(`pay ${request.amount}`)
        const payment: PaymentView = {
          ...request,
          id: `payment-${payments.size + 1}`,
          sent: '0',
          delivered: '0',
          state: 'running',
          message: undefined,
          startedAtMs: 1,
          endedAtMs: undefined,
          destinationAssetCode: undefined,
          destinationAssetScale: undefined,
        }
        payments.set(payment.id, payment)
        return payment
      },
      get: (id) => payments.get(id),
      receive: async ({ name }) => {
        calls.push('receive')
        return localAccount(name ?? 'fresh')
      },
      ping: async (_address, timeoutMs) => {
        calls.push(`ping ${timeoutMs}`)
        return { reached: true, roundTripMs: 12, code: undefined, message: undefined, triggeredBy: undefined }
      },
    },
    settlements: fakeSettlements(calls),
    logs: { level: () => logs.level(), setLevel: (level) => logs.setLevel(level) },
    config: {
      view: () => ({ admin: { keys: ['secret:admin-key'] }, spsp: { password: SETTINGS_CANARY } }),
      reload: async () => {
        calls.push('reload')
        return { applied: ['logging.level'], needsRestart: [] }
      },
    },
  }
  return services
}

function fakeSettlements(calls: string[]): SettlementService {
  const known = (id: string): void => {
    if (id !== 'alice') throw new ServiceError('RESOURCE_NOT_FOUND', `account "${id}" does not settle`)
  }
  const operate = async (id: string, what: string): Promise<PaymentChannelView> => {
    if (id !== CHANNEL_ID)
      throw new ServiceError('RESOURCE_NOT_FOUND', `no engine that runs has a channel ${id}`)
    calls.push(what)
    return channel()
  }
  return {
    list: ({ limit, before }) =>
      [settlement('s-2'), settlement('s-1')].slice(before === undefined ? 0 : 1).slice(0, limit),
    get: (id) => (id === CREDIT_ID ? settlement(id) : undefined),
    accounts: ({ offset }) => ({ accounts: offset === 0 ? [settlementAccount()] : [], total: 1 }),
    account: (id) => (id === 'alice' ? settlementAccount() : undefined),
    settleNow: async (id, amount) => {
      known(id)
      calls.push(`settle ${id} ${amount ?? 'all'}`)
      return [settlement('s-3')]
    },
    pause: async (id, reason) => {
      known(id)
      calls.push(`pause ${id} ${reason}`)
    },
    resume: async (id) => {
      known(id)
      calls.push(`resume ${id}`)
    },
    abandon: async (id, { outcome }) => {
      calls.push(`abandon ${id} ${outcome}`)
      return settlement(id)
    },
    reconcile: async () => report(),
    lastReconciliation: report,
    attribute: async (creditId, accountId) => {
      known(accountId)
      calls.push(`attribute ${creditId} ${accountId}`)
      return settlement(creditId)
    },
    acceptDifference: async (engine, { amount, assetCode, reason }) => {
      calls.push(`accept-difference ${engine} ${amount}`)
      const figures = { amount, paid: amount, received: '0' }
      return { engine, assetCode, assetScale: 6, ...figures, reason, acceptedMs: 1_800_000_000_000 }
    },
    engines: () => [settlementEngine('evm')],
    resumeEngine: async (name) => {
      if (name !== 'evm') throw new ServiceError('RESOURCE_NOT_FOUND', `there is no engine ${name}`)
      calls.push(`resume engine ${name}`)
      return settlementEngine(name)
    },
    channels: () => [channel()],
    channel: (id) => (id === CHANNEL_ID ? channel() : undefined),
    openChannel: async (accountId, deposit) => {
      known(accountId)
      calls.push(`open ${accountId} ${deposit}`)
      return channel()
    },
    topUpChannel: (id, amount) => operate(id, `top-up ${amount}`),
    claimChannel: (id) => operate(id, 'claim'),
    closeChannel: (id) => operate(id, 'close'),
  }
}

/** Ids of networks have characters of their own. */
export const CREDIT_ID = 'evm:1:0xab/3'
export const CHANNEL_ID = `0x${'ab'.repeat(32)}`

function settlement(id: string): SettlementView {
  return {
    id,
    direction: 'out',
    accountId: 'alice',
    engine: 'evm',
    assetCode: 'USD',
    amount: HUGE.toString(),
    assetScale: 9,
    quantity: { amount: (HUGE * 10n ** 9n).toString(), scale: 18 },
    state: 'handed-over',
    cause: 'threshold',
    sender: undefined,
    reason: undefined,
    createdMs: 1,
    updatedMs: 2,
    cursor: '7',
  }
}

function settlementAccount(): SettlementAccountView {
  return {
    accountId: 'alice',
    engine: 'evm',
    engineRunning: true,
    assetCode: 'USD',
    assetScale: 9,
    engineScale: 18,
    threshold: HUGE.toString(),
    settleTo: '0',
    intervalMs: undefined,
    minAmount: '0',
    maxAmount: undefined,
    paused: { reason: 'maintenance', sinceMs: 1 },
    pausedByConfiguration: false,
    shutReason: undefined,
    open: 1,
    openAmount: HUGE.toString(),
    openSinceMs: 1,
    remainder: { amount: '999', scale: 18 },
    retryAtMs: undefined,
  }
}

function settlementEngine(name: string): SettlementEngineView {
  return {
    name,
    type: 'evm',
    running: true,
    sinceMs: 1,
    lastError: undefined,
    trouble: 'halted',
    accounts: 2,
    open: 1,
    openSinceMs: undefined,
    suspended: 0,
    channels: 3,
  }
}

function report(): ReconciliationView {
  const asset = { assetCode: 'USD', assetScale: 9 }
  return {
    checkedAtMs: 1,
    accountsChecked: 2,
    discrepancies: [
      { accountId: undefined, engine: 'evm', ...asset, differences: ['off by one'], amount: HUGE.toString() },
    ],
    unchecked: [{ accountId: 'bob', reason: 'the engine evm is not running' }],
  }
}

function channel(): PaymentChannelView {
  return {
    id: CHANNEL_ID,
    engine: 'evm',
    accountId: 'alice',
    assetCode: 'USD',
    direction: 'out',
    state: 'closing',
    token: `0x${'cd'.repeat(20)}`,
    tokenScale: 18,
    deposit: (2n ** 128n - 1n).toString(),
    claimed: '0',
    unclaimed: HUGE.toString(),
    expiresAtMs: 3,
  }
}

function peer(id: string): PeerView {
  return {
    id,
    relation: 'peer',
    source: 'admin',
    assetCode: 'USD',
    assetScale: 9,
    plugin: 'btp',
    ilpAddress: undefined,
    link: { connected: true, remote: '127.0.0.1:7768' },
    balance: (-EDGE).toString(),
    reserved: '0',
    creditLimit: (2n ** 64n - 1n).toString(),
    payableLimit: undefined,
    packetsInFlight: 0,
    settings: { id, link: { plugin: 'btp', token: SETTINGS_CANARY, passwordFrom: 'secret:alice-token' } },
  }
}

function balance(id: string, kind: AccountBalance['kind'], value: bigint): AccountBalance {
  const positive = value < 0n ? -value : value
  return {
    id,
    kind,
    assetCode: 'USD',
    assetScale: 9,
    debitsPosted: value < 0n ? positive : 0n,
    creditsPosted: value < 0n ? 0n : positive,
    debitsPending: 0n,
    creditsPending: 0n,
    balance: value,
  }
}

function localAccount(id: string): LocalAccountView {
  return {
    id,
    ilpAddress: `test.node.${id}`,
    spspUrl: `http://127.0.0.1:3000/${id}`,
    paymentPointer: undefined,
    assetCode: 'USD',
    assetScale: 9,
    balance: HUGE.toString(),
  }
}

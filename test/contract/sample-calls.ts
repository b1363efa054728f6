import { CHANNEL_ID, CREDIT_ID } from './fake-services.ts'

const CREDIT_PATH = `/api/admin/settlements/${encodeURIComponent(CREDIT_ID)}`
const CHANNEL_PATH = `/api/admin/channels/${CHANNEL_ID}`

/** One request per operation that the fake node answers with success. A test asserts that none is missing. */
export const SAMPLE_CALLS: Record<string, { path: string; body?: unknown }> = {
  'GET /api/admin/node': { path: '/api/admin/node' },
  'GET /api/admin/log-level': { path: '/api/admin/log-level' },
  'PUT /api/admin/log-level': { path: '/api/admin/log-level', body: { level: 'debug' } },
  'GET /api/admin/peers': { path: '/api/admin/peers' },
  'POST /api/admin/peers': {
    path: '/api/admin/peers',
    body: { id: 'bob', relation: 'peer', asset: { code: 'USD', scale: 9 }, link: { plugin: 'btp' } },
  },
  'GET /api/admin/peers/:id': { path: '/api/admin/peers/alice' },
  'PATCH /api/admin/peers/:id': {
    path: '/api/admin/peers/alice',
    body: { creditLimit: '18446744073709551615' },
  },
  'DELETE /api/admin/peers/:id': { path: '/api/admin/peers/alice' },
  'GET /api/admin/routes': { path: '/api/admin/routes' },
  'PUT /api/admin/routes': { path: '/api/admin/routes', body: { prefix: '', peerId: 'alice' } },
  'DELETE /api/admin/routes': { path: '/api/admin/routes?prefix=g.far' },
  'GET /api/admin/routes/resolve': { path: '/api/admin/routes/resolve?address=g.far.away' },
  'GET /api/admin/rates': { path: '/api/admin/rates' },
  'GET /api/admin/rates/quote': { path: '/api/admin/rates/quote?from=XRP&to=USD' },
  'GET /api/admin/accounts': { path: '/api/admin/accounts' },
  'GET /api/admin/accounts/:id': { path: '/api/admin/accounts/fx:USD' },
  'GET /api/admin/accounts/:id/history': { path: '/api/admin/accounts/alice/history?limit=10' },
  'GET /api/admin/ledger/self-check': { path: '/api/admin/ledger/self-check' },
  'GET /api/admin/local-accounts': { path: '/api/admin/local-accounts' },
  'POST /api/admin/local-accounts': { path: '/api/admin/local-accounts', body: {} },
  'POST /api/admin/payments': {
    path: '/api/admin/payments',
    body: { fromAccount: 'wallet', destination: '$pay.example.com/bob', amount: '18446744073709551615' },
  },
  // The id of the payment that the line above began.
  'GET /api/admin/payments/:id': { path: '/api/admin/payments/payment-1' },
  'POST /api/admin/ping': { path: '/api/admin/ping', body: { address: 'test.node' } },
  'GET /api/admin/settlements': { path: '/api/admin/settlements?direction=out&state=held&limit=10' },
  'GET /api/admin/settlements/suspense': { path: '/api/admin/settlements/suspense' },
  'GET /api/admin/settlements/:id': { path: CREDIT_PATH },
  'POST /api/admin/settlements/:id/attribute': {
    path: `${CREDIT_PATH}/attribute`,
    body: { accountId: 'alice' },
  },
  'POST /api/admin/settlements/:id/abandon': {
    path: `${CREDIT_PATH}/abandon`,
    body: { outcome: 'not-paid', reason: 'not in the books of the engine', doubtful: true },
  },
  'GET /api/admin/settlements/accounts': { path: '/api/admin/settlements/accounts' },
  'GET /api/admin/settlements/accounts/:id': { path: '/api/admin/settlements/accounts/alice' },
  'POST /api/admin/settlements/accounts/:id/settle-now': {
    path: '/api/admin/settlements/accounts/alice/settle-now',
    body: {},
  },
  'POST /api/admin/settlements/accounts/:id/pause': {
    path: '/api/admin/settlements/accounts/alice/pause',
    body: { reason: 'maintenance of the chain' },
  },
  'POST /api/admin/settlements/accounts/:id/resume': {
    path: '/api/admin/settlements/accounts/alice/resume',
  },
  'GET /api/admin/settlements/engines': { path: '/api/admin/settlements/engines' },
  'POST /api/admin/settlements/engines/:name/resume': { path: '/api/admin/settlements/engines/evm/resume' },
  'POST /api/admin/settlements/engines/:name/accept-difference': {
    path: '/api/admin/settlements/engines/evm/accept-difference',
    body: { assetCode: 'USD', amount: '-5000', reason: 'restored from the copy of last night' },
  },
  'GET /api/admin/settlements/reconcile': { path: '/api/admin/settlements/reconcile' },
  'POST /api/admin/settlements/reconcile': { path: '/api/admin/settlements/reconcile' },
  'GET /api/admin/channels': { path: '/api/admin/channels?state=closing' },
  'POST /api/admin/channels': {
    path: '/api/admin/channels',
    body: { accountId: 'alice', deposit: '50000000000000000000' },
  },
  'GET /api/admin/channels/:id': { path: CHANNEL_PATH },
  'POST /api/admin/channels/:id/top-up': { path: `${CHANNEL_PATH}/top-up`, body: { amount: '1' } },
  'POST /api/admin/channels/:id/claim': { path: `${CHANNEL_PATH}/claim` },
  'POST /api/admin/channels/:id/close': { path: `${CHANNEL_PATH}/close` },
  'GET /api/admin/config': { path: '/api/admin/config' },
  'POST /api/admin/config/reload': { path: '/api/admin/config/reload' },
  'GET /api/admin/openapi.json': { path: '/api/admin/openapi.json' },
}

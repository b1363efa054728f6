import { API_ERRORS, type ApiErrorCode } from '../../admin/api-error.ts'
import { toJson } from '../../admin/to-json.ts'
import type { Clock } from '../../lib/clock.ts'
import type { Logger } from '../../lib/logger.ts'
import { within } from '../../lib/within.ts'
import {
  type ChannelOperations,
  type ChannelView,
  EngineUnavailableError,
  PeerMessageError,
  ResumeRefusedError,
  type SettlementEngine,
} from '../engine.ts'
import { engineTrouble } from '../engine-trouble.ts'
import { BoundedHttpServer, type BoundedListen, type Endpoint, HttpRefusal } from './bounded-http-server.ts'
import type { HostJournal } from './host-journal.ts'
import type { Rfc38Server } from './rfc38-server.ts'

const BODY_LENGTH_MAX = 4_096
/** The engine looks a nonce up on its network, with some 30 questions. */
const RESUME_DEADLINE_MS = 60_000
/** Rows of one answer; the oldest come first. */
const ROWS_MAX = 1_000
const AMOUNT = /^[1-9]\d{0,37}$/

export interface EngineAdminDeps {
  readonly server: Pick<Rfc38Server, 'isHealthy' | 'attribute'>
  readonly engine: SettlementEngine
  readonly journal: HostJournal
  readonly clock: Clock
  readonly logger: Logger
}

/** Answers with what goes into `data` of the reply. */
type Action = (fields: Record<string, unknown>) => Promise<unknown>

/**
 * What operators ask of a served engine: JSON in the envelope of a node's admin API, below `/api/admin`. Changes are
 * POSTed with their fields in the body.
 */
export class EngineAdmin extends BoundedHttpServer {
  /** @throws Error when it would listen to strangers without a token */
  constructor(listen: BoundedListen, deps: EngineAdminDeps) {
    const actions = actionsOf(deps)
    super(listen, {
      endpoint: (method, path) => endpointOf(actions, deps, method, path),
      describe: (status, message) => ({
        body: envelope(deps.clock, {
          success: false,
          data: null,
          error: { code: codeOf(status), message },
          statusCode: status,
        }),
        contentType: 'application/json; charset=utf-8',
      }),
      logger: deps.logger,
    })
  }
}

function actionsOf(deps: EngineAdminDeps): Record<string, Action> {
  const { engine, journal, logger, server } = deps
  return {
    'GET /engine': async () => ({
      name: engine.name,
      healthy: server.isHealthy,
      trouble: engineTrouble(engine),
      ...journal.waiting(),
      accounts: await accountsOf(deps),
    }),
    'POST /engine/resume': async () => {
      await resume(engine)
      logger.warn('engine resumed by an operator', { engine: engine.name })
      return { name: engine.name, trouble: engineTrouble(engine) }
    },
    'GET /suspense': async () => journal.suspended(ROWS_MAX),
    'POST /suspense/attribute': async (fields) => {
      const creditId = text(fields, 'creditId')
      const accountId = text(fields, 'accountId')
      server.attribute(creditId, accountId)
      logger.warn('credit attributed by an operator', { creditId, accountId })
      return { creditId, accountId }
    },
    'GET /channels': async () => engine.channels(),
    'POST /channels/open': async (fields) =>
      await operate(engine, (to) => to.open(text(fields, 'accountId'), amount(fields, 'deposit'))),
    'POST /channels/top-up': async (fields) =>
      await operate(engine, (to) => to.topUp(text(fields, 'channelId'), amount(fields, 'amount'))),
    'POST /channels/claim': async (fields) =>
      await operate(engine, (to) => to.claim(text(fields, 'channelId'))),
    'POST /channels/close': async (fields) =>
      await operate(engine, (to) => to.close(text(fields, 'channelId'))),
  }
}

async function accountsOf({ engine, journal }: EngineAdminDeps): Promise<unknown[]> {
  const accounts = []
  for (const account of journal.accounts(ROWS_MAX)) {
    const statement = account.state === 'open' ? await statementOf(engine, account.id) : undefined
    accounts.push({ ...account, ...statement })
  }
  return accounts
}

/** An account that the engine does not serve at the moment has none. */
async function statementOf(engine: SettlementEngine, accountId: string): Promise<object | undefined> {
  try {
    const { settled, open, credited, differences } = await engine.statement(accountId)
    return { settled, open, credited, differences }
  } catch {
    return undefined
  }
}

async function resume(engine: SettlementEngine): Promise<void> {
  if (engine.resume === undefined)
    throw new HttpRefusal(501, `the engine ${engine.name} never halts: there is nothing to resume`)
  try {
    await within(engine.resume(), RESUME_DEADLINE_MS, () => {
      return new HttpRefusal(503, 'the engine looks longer than a minute: see later how it stands')
    })
  } catch (error) {
    if (error instanceof ResumeRefusedError) throw new HttpRefusal(409, error.message)
    if (error instanceof EngineUnavailableError) throw new HttpRefusal(503, error.message)
    throw error
  }
}

async function operate(
  engine: SettlementEngine,
  action: (operations: ChannelOperations) => Promise<ChannelView>,
): Promise<ChannelView> {
  if (engine.operations === undefined)
    throw new HttpRefusal(501, `the engine ${engine.name} has no channels to operate`)
  try {
    return await action(engine.operations)
  } catch (error) {
    if (error instanceof RangeError) throw new HttpRefusal(409, error.message)
    if (error instanceof EngineUnavailableError || error instanceof PeerMessageError)
      throw new HttpRefusal(503, error.message)
    throw error
  }
}

function endpointOf(
  actions: Record<string, Action>,
  { clock }: EngineAdminDeps,
  method: string,
  path: string,
): Endpoint {
  const name = `${method} ${path.replace(/^\/api\/admin/, '')}`
  const action = Object.hasOwn(actions, name) && path.startsWith('/api/admin/') ? actions[name] : undefined
  if (action === undefined) throw new HttpRefusal(404, 'there is nothing at this path')
  return {
    binary: false,
    lengthMax: BODY_LENGTH_MAX,
    handle: async ({ body }) => {
      const data = await action(method === 'POST' ? readFields(body) : {})
      return { status: 200, body: envelope(clock, { success: true, data }) }
    },
  }
}

function envelope(clock: Clock, fields: object): string {
  return toJson({ ...fields, timestamp: new Date(clock.now()).toISOString() })
}

function codeOf(status: number): ApiErrorCode {
  const found = Object.entries(API_ERRORS).find(([, error]) => error.status === status)
  return (found?.[0] as ApiErrorCode | undefined) ?? 'INTERNAL_SERVER_ERROR'
}

function readFields(body: Buffer): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(body.toString('utf8'))
    if (typeof value === 'object' && value !== null) return value as Record<string, unknown>
  } catch {
    // Told below.
  }
  throw new HttpRefusal(400, 'the body must be a JSON object')
}

function text(fields: Record<string, unknown>, name: string): string {
  const value = fields[name]
  if (typeof value === 'string' && value !== '') return value
  throw new HttpRefusal(400, `"${name}" must be a string`)
}

function amount(fields: Record<string, unknown>, name: string): bigint {
  const value = text(fields, name)
  if (AMOUNT.test(value)) return BigInt(value)
  throw new HttpRefusal(400, `"${name}" must be a whole number above 0, as a string of at most 38 digits`)
}

import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { HostJournal } from '../../../src/settlement/rfc38/host-journal.ts'
import { freePort } from '../../support/free-port.ts'
import { waitFor } from '../../support/wait-for.ts'
import { ConnectorDouble, post } from './support/connector-double.ts'
import { readLines } from './support/durable-lines.ts'
import { EngineDouble } from './support/engine-double.ts'
import { CUT } from './support/http-double.ts'

const ENGINE_CHILD = fileURLToPath(new URL('./support/engine-child.ts', import.meta.url))
const SERVER_CHILD = fileURLToPath(new URL('./support/server-child.ts', import.meta.url))
const ORDERS = 12
const CREDITS = 12
const DEADLINE_MS = 60_000

interface Life {
  child: ChildProcess
  ended: Promise<{ signal: NodeJS.Signals | null; errors: string }>
}

function live(program: string, values: (string | number)[]): Life {
  const child = spawn(process.execPath, [program, ...values.map(String)], {
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  let errors = ''
  child.stderr?.on('data', (chunk) => {
    errors += chunk
  })
  const ended = once(child, 'close').then(([, signal]) => ({
    signal: signal as NodeJS.Signals | null,
    errors,
  }))
  return { child, ended }
}

function sumOfSquares(count: number): bigint {
  let sum = 0n
  for (let index = 1n; index <= BigInt(count); index++) sum += index * index
  return sum
}

describe('kill -9', { timeout: 2 * DEADLINE_MS }, () => {
  let directory: string
  let port: number

  beforeEach(async () => {
    directory = mkdtempSync(join(tmpdir(), 'causeway-rfc38-kill-'))
    port = await freePort()
  })
  afterEach(() => rmSync(directory, { recursive: true, force: true }))

  describe('of the client of a foreign engine', () => {
    const foreign = new EngineDouble()
    let stopCrediting: () => Promise<void>

    beforeEach(async () => {
      foreign.accounts.clear()
      foreign.settlements.clear()
      foreign.conflicts = 0
      await foreign.start()
      stopCrediting = sendCredits(port)
    })
    afterEach(async () => {
      await stopCrediting()
      foreign.after = (_, reply) => reply
      foreign.before = () => undefined
      await foreign.stop()
    })

    const begin = (dieAt: string): Life =>
      live(ENGINE_CHILD, [directory, foreign.url, port, ORDERS, CREDITS, dieAt])

    async function expectExact(): Promise<void> {
      expect(await begin('').ended).toEqual({ signal: null, errors: '' })
      expect(foreign.settlements.size).toBe(ORDERS)
      expect(foreign.total(9)).toBe(sumOfSquares(ORDERS))
      expect(foreign.conflicts).toBe(0)
      const lines = readLines(join(directory, 'node.books'))
      expect(lines.filter((line) => line.startsWith('settled ')).length).toBe(ORDERS)
      const credits = lines
        .filter((line) => line.startsWith('credit '))
        .map((line) => BigInt(line.split(' ')[2]!))
      expect(credits.length).toBe(CREDITS)
      expect(credits.reduce((sum, amount) => sum + amount, 0n)).toBe(sumOfSquares(CREDITS))
      expect(lines.length).toBe(ORDERS + CREDITS)
    }

    const steps = ['openAccount', 'accountTold', 'addOrder', 'orderSent', 'orderTaken', 'orderSettled']
    for (const step of [...steps, 'takeCredit', 'creditBooked']) {
      it.each(['before', 'after'])(`loses and doubles nothing %s ${step}`, async (when) => {
        const counts = step === 'openAccount' || step === 'accountTold' ? [1] : [1, 3]
        for (const count of counts) {
          const { signal, errors } = await begin(`${step}:${when}:${count}`).ended
          expect(signal, errors).toBe('SIGKILL')
        }
        await expectExact()
      })
    }

    it.each(['before', 'after'] as const)(
      'loses and doubles nothing while a request is %s the books',
      async (when) => {
        for (const count of [1, 2, 5]) {
          const life = begin('')
          let left = count
          const kill = (request: { path: string }): typeof CUT | undefined => {
            if (!request.path.endsWith('/settlements') || --left !== 0) return undefined
            life.child.kill('SIGKILL')
            return CUT
          }
          if (when === 'before') foreign.before = kill
          else foreign.after = (request, reply) => kill(request) ?? reply
          expect((await life.ended).signal).toBe('SIGKILL')
        }
        foreign.before = () => undefined
        foreign.after = (_, reply) => reply
        await expectExact()
      },
    )
  })

  describe('of an engine served to a foreign connector', () => {
    const REQUESTS = 20
    let connector: ConnectorDouble

    beforeEach(async () => {
      connector = new ConnectorDouble(4)
      await connector.start()
    })
    afterEach(async () => {
      await connector.stop()
    })

    const steps = ['openAccount', 'takeRequest', 'orderTaken', 'orderSettled', 'orderRefused', 'retryPending']
    for (const step of [...steps, 'takeCredit', 'prepareCredit', 'credited']) {
      it.each(['before', 'after'])(`loses and doubles nothing %s ${step}`, async (when) => {
        let life = begin(`${step}:${when}:1`)
        const deaths: (NodeJS.Signals | null)[] = []
        const rare = ['openAccount', 'orderRefused', 'retryPending'].includes(step)
        const plan = rare ? [''] : [`${step}:${when}:3`, '']
        let over = false
        const keepAlive = (async () => {
          for (const next of plan) {
            const { signal, errors } = await life.ended
            if (over) return
            expect(signal, errors).toBe('SIGKILL')
            deaths.push(signal)
            life = begin(next)
          }
        })()
        try {
          await openAccount()
          let asked = 0n
          for (let index = 1; index <= REQUESTS; index++) {
            const amount = BigInt(index) * 123_456_789n
            asked += amount
            const request = { account: 'alice', key: `request-${index}`, amount, scale: 9 }
            const url = `http://127.0.0.1:${port}`
            await waitFor(
              `request ${index}`,
              async () => (await post(url, request, false)) === 201,
              DEADLINE_MS,
            )
          }
          await waitFor('all deaths', () => deaths.length === plan.length, DEADLINE_MS)
          await keepAlive
          const settled = () => paid(join(directory, 'network.books'))
          await waitFor('everything to be settled', () => settled() === asked / 1_000n, DEADLINE_MS)
          await waitFor('everything to be credited', () => connector.credits.size === CREDITS, DEADLINE_MS)
          over = true
          life.child.kill('SIGTERM')
          await life.ended
          expect(connector.conflicts).toBe(0)
          const journal = new HostJournal(join(directory, 'host.db'))
          journal.start()
          const pending = journal.pending('alice')
          const carried = journal.carried('alice')
          const underWay = journal.creditDeliveries.due(Date.now(), 3_600_000, CREDITS).length
          journal.stop()
          expect(pending.amount * 10n ** BigInt(9 - pending.scale)).toBe(asked % 1_000n)
          // The answer to the very last credit may not have been read yet.
          const told = BigInt((37 * CREDITS * (CREDITS + 1)) / 2)
          const booked = connector.total() * 100n + carried.amount * 10n ** BigInt(6 - carried.scale)
          if (underWay === 0) expect(booked).toBe(told)
          else expect(booked).toBeLessThanOrEqual(told)
        } finally {
          over = true
          life.child.kill('SIGKILL')
          await life.ended
        }
      })
    }

    const begin = (dieAt: string): Life =>
      live(SERVER_CHILD, [directory, connector.url, port, CREDITS, dieAt])

    async function openAccount(): Promise<void> {
      const open = async () => {
        try {
          const response = await fetch(`http://127.0.0.1:${port}/accounts`, {
            method: 'POST',
            headers: { 'content-type': 'application/json' },
            body: '{"id":"alice"}',
          })
          return response.status === 201
        } catch {
          return false
        }
      }
      await waitFor('the account', open, DEADLINE_MS)
    }
  })
})

/** What the network paid, in millionths. */
function paid(path: string): bigint {
  let sum = 0n
  for (const line of readLines(path)) {
    const [what, , , amount = '0'] = line.split(' ')
    if (what === 'paid') sum += BigInt(amount)
  }
  return sum
}

/** A foreign engine that tells each of its credits until it is acknowledged. Returns how to stop it. */
function sendCredits(port: number): () => Promise<void> {
  let stopped = false
  const sending = (async () => {
    for (let index = 1; index <= CREDITS && !stopped; ) {
      const credit = { account: 'alice', key: `credit-${index}`, amount: BigInt(index) ** 2n, scale: 9 }
      if ((await post(`http://127.0.0.1:${port}`, credit, false)) === 201) index++
      else await new Promise((resolve) => setTimeout(resolve, 5))
    }
  })()
  return async () => {
    stopped = true
    await sending
  }
}

import { readFileSync } from 'node:fs'
import type { Command } from 'commander'
import { beforeAll, describe, expect, it } from 'vitest'
import { channelRoutes } from '../../../src/admin/routes/channel-routes.ts'
import { settlementRoutes } from '../../../src/admin/routes/settlement-routes.ts'
import { buildProgram } from '../../../src/cli/program.ts'
import { SETTLEMENT_METRICS } from '../../../src/observability/settlement-metrics.ts'
import { SETTLEMENT_STATE_METRICS } from '../../../src/observability/settlement-state-metrics.ts'
import { CREDIT_STATES } from '../../../src/settlement/credit-state.ts'
import { OUTGOING_STATES } from '../../../src/settlement/outgoing-state.ts'
import { SETTLEMENT_ALARMS } from '../../../src/settlement/settlement-alarms.ts'
import { STUB_LOADERS, stubIo } from '../cli/cli-helpers.ts'

const root = new URL('../../../', import.meta.url)
const read = (path: string): string => readFileSync(new URL(path, root), 'utf8')

/** Members of a union of string literals, as its source has them. */
function members(path: string, type: string): string[] {
  const union = new RegExp(`export type ${type} =([^\\n]*(?:\\n +\\|[^\\n]*)*)`).exec(read(path))![1]!
  return [...union.matchAll(/'([a-z-]+)'/g)].map(([, name]) => name!)
}

describe('docs/settlement.md', () => {
  let page: string
  beforeAll(() => {
    page = read('docs/settlement.md')
  })

  /** First column of the tables between two headings, without backquotes. */
  function names(from: string, to: string): string[] {
    const section = page.slice(page.indexOf(from), page.indexOf(to))
    expect(section.length).toBeGreaterThan(0)
    return [...section.matchAll(/^\| `([^`]+)` \|/gm)].map(([, name]) => name!)
  }

  it('tells of every alarm what to do, and of none that there is not', () => {
    const known = [
      ...Object.keys(SETTLEMENT_ALARMS),
      ...members('settlement-engines/evm/engine/engine-core.ts', 'EngineAlarmCode'),
      ...members('settlement-engines/evm/chain-alarm.ts', 'ChainAlarmCode'),
    ]
    expect(known.length).toBeGreaterThan(20)
    expect(names('## Alarms', '### The key was used').toSorted()).toEqual(known.toSorted())
  })

  it('explains every state', () => {
    expect(names('## Outgoing settlements', '## Incoming credits')).toEqual([...OUTGOING_STATES])
    const credits = [...CREDIT_STATES]
    expect(names('## Incoming credits', '## Why nothing').toSorted()).toEqual(credits.toSorted())
  })

  it('names every option of the EVM engine, and no other', () => {
    const source = read('settlement-engines/evm/engine/evm-options.ts')
    const keys = (schema: string): string[] => {
      const body = new RegExp(`const ${schema} = z\\.strictObject\\(\\{\\n([\\s\\S]+?)\\n\\}\\)`).exec(
        source,
      )![1]!
      return [...body.matchAll(/^ {2}(\w+):/gm)].map(([, key]) => key!)
    }
    const section = page.slice(
      page.indexOf("## The engine's configuration"),
      page.indexOf('## Choosing thresholds'),
    )
    const rows = section.split('\n').filter((line) => line.startsWith('| `'))
    const named = rows.flatMap((line) => [...line.split('|')[1]!.matchAll(/`(\w+)`/g)].map(([, key]) => key!))
    // The node sets these two.
    const own = keys('engineOptions').filter((key) => key !== 'name' && key !== 'directory')
    expect(own.length).toBeGreaterThan(15)
    expect(named.toSorted()).toEqual([...own, ...keys('accountOptions')].toSorted())
    expect(names('## Deposits and budgets', '## Claims and fees')).toEqual(
      keys('asset').filter((key) => key !== 'token'),
    )
  })

  it('names every route, and no other', () => {
    const section = page.slice(page.indexOf('## Looking and acting'), page.indexOf('## Reconciliation'))
    const named = [...section.matchAll(/`((?:GET|POST) \/api\/admin\/[^`]+)`/g)].map(([, route]) => route!)
    const routes = [...settlementRoutes, ...channelRoutes].map(({ method, path }) => `${method} ${path}`)
    expect(named.toSorted()).toEqual(routes.toSorted())
  })

  it('names every metric, and no other', () => {
    const known = [SETTLEMENT_METRICS, SETTLEMENT_STATE_METRICS].flatMap((all) =>
      Object.values(all).map(({ name }) => name),
    )
    expect(names('## Metrics', '```promql').toSorted()).toEqual(known.toSorted())
  })

  it('uses commands that there are', () => {
    const program = buildProgram({ io: stubIo(), loaders: STUB_LOADERS, setExitCode: () => undefined })
    const groups = ['settlements', 'channels', 'evm', 'engine']
    const known = program.commands.filter((command) => groups.includes(command.name())).flatMap(leaves)
    const used = [...page.matchAll(/causeway ((?:settlements|channels|evm)(?: [a-z-]+)+)/g)].map(
      ([, verbs]) => verbs!,
    )
    expect(used.length).toBeGreaterThan(20)
    expect(used.filter((verbs) => !known.some((name) => `${verbs} `.startsWith(`${name} `)))).toEqual([])
  })
})

/** Names of all commands below, e.g. `evm key create`. */
function leaves(command: Command): string[] {
  const name = command.name()
  return command.commands.length === 0
    ? [name]
    : command.commands.flatMap((child) => leaves(child).map((rest) => `${name} ${rest}`))
}

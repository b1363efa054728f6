import { spawnSync } from 'node:child_process'
import { describe, expect, it } from 'vitest'
import { CRASH_POINTS, CRASH_VARIABLE } from '../../../src/lib/crash-point.ts'

const MODULE = new URL('../../../src/lib/crash-point.ts', import.meta.url).href
const SCRIPT = `
  import { crashPoint } from ${JSON.stringify(MODULE)}
  for (let i = 1; i <= 3; i++) {
    console.log(i)
    crashPoint('ledger.committed')
  }
`

function run(at: string | undefined, more: Record<string, string> = {}): ReturnType<typeof spawnSync> {
  const { [CRASH_VARIABLE]: _, NODE_ENV: __, ...env } = process.env
  const armed = at === undefined ? {} : { [CRASH_VARIABLE]: at }
  return spawnSync(process.execPath, ['--input-type=module', '-e', SCRIPT], {
    env: { ...env, ...armed, ...more },
    encoding: 'utf8',
    timeout: 20_000,
  })
}

describe('crash points', () => {
  it('do nothing when none is named', () => {
    expect(run(undefined)).toMatchObject({ status: 0, stdout: '1\n2\n3\n', stderr: '' })
    expect(run('')).toMatchObject({ status: 0, stdout: '1\n2\n3\n' })
    expect(run('ledger.batch-closed')).toMatchObject({ status: 0, stdout: '1\n2\n3\n' })
  })

  it('kill the process at the named one, and say so at the start', () => {
    const killed = run('ledger.committed')
    expect(killed).toMatchObject({ signal: 'SIGKILL', stdout: '1\n' })
    expect(killed.stderr).toContain('kill itself')
  })

  it('kill the process the named time it is passed', () => {
    expect(run('ledger.committed:3')).toMatchObject({ signal: 'SIGKILL', stdout: '1\n2\n3\n' })
    expect(run('ledger.committed:4')).toMatchObject({ status: 0 })
  })

  it('are never armed in production', () => {
    const ignored = run('ledger.committed', { NODE_ENV: 'production' })
    expect(ignored).toMatchObject({ status: 0, stdout: '1\n2\n3\n' })
    expect(ignored.stderr).toContain('ignored')
  })

  it.each(['nowhere', 'ledger.committed:0', 'ledger.committed:x', 'ledger.committed:1:2'])(
    'refuse "%s", naming those there are',
    (at) => {
      const refused = run(at)
      expect(refused.status).not.toBe(0)
      for (const name of Object.keys(CRASH_POINTS)) expect(refused.stderr).toContain(name)
    },
  )
})

import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { commandName } from '../../../src/cli/process-io.ts'

describe('the way the program was started, for commands in messages', () => {
  it.each([
    ['/usr/local/bin/causeway', {}, 'causeway'],
    [join(process.cwd(), 'bin', 'causeway.mjs'), { npm_lifecycle_event: 'start' }, 'npx causeway'],
    [join(process.cwd(), 'bin', 'causeway.mjs'), {}, `node ${join('bin', 'causeway.mjs')}`],
    ['', {}, 'causeway'],
  ])('%s with %o is told as %s', (path, env, name) => {
    expect(commandName(path, env)).toBe(name)
  })
})

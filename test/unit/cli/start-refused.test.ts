import { spawnSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { expect, it } from 'vitest'
import { temporaryDirectory } from '../config/config-helpers.ts'
import { EVM_SECTION } from './evm-section.ts'

it('a node whose engine must not run as it is configured ends with exit code 3, and says which option', () => {
  const workingDirectory = temporaryDirectory()
  writeFileSync(
    join(workingDirectory, 'causeway.yaml'),
    `node: { ilpAddress: test.me, environment: test }\n${EVM_SECTION}`,
  )
  const { status, stderr } = spawnSync(process.execPath, [resolve('bin/causeway.mjs'), 'start'], {
    cwd: workingDirectory,
    encoding: 'utf8',
    timeout: 60_000,
  })
  expect([status, stderr]).toEqual([
    3,
    expect.stringContaining('settlement.engines.evm.keys.fundingKeyFile: '),
  ])
}, 70_000)

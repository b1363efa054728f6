import { spawnSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { expect, it } from 'vitest'
import { temporaryDirectory } from '../config/config-helpers.ts'

it('a node whose engine must not run as it is configured ends with exit code 3, and says which option', () => {
  const workingDirectory = temporaryDirectory()
  const address = `0x${'ab'.repeat(20)}`
  writeFileSync(
    join(workingDirectory, 'causeway.yaml'),
    `node: { ilpAddress: test.me, environment: test }
admin: { port: 0 }
settlement:
  engines:
    evm:
      type: evm
      rpcUrls: ["http://127.0.0.1:1"]
      chainId: 1
      contract: "${address}"
      keys: { fundingKeyFile: funding, claimKeyFile: claim }
      assets: { USD: { token: native, deposit: "1", maxDepositPerChannel: "1", totalBudget: "1", claimAtValue: "1" } }
`,
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

import { chmodSync, copyFileSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { EvmEngine } from '../../../settlement-engines/evm/engine/evm-engine.ts'
import type { EvmEngineOptions } from '../../../settlement-engines/evm/engine/evm-options.ts'
import { createKeystoreFile } from '../../../settlement-engines/evm/key-file.ts'
import { systemClock } from '../../../src/lib/clock.ts'
import { silentLogger } from '../../../src/lib/logger.ts'
import { EngineConfigError } from '../../../src/settlement/engine.ts'
import { ANVIL_KEYS } from '../../support/anvil.ts'
import { EngineChain, EnginePair, Side } from './engine-pair.ts'

const PASSWORD = 'canary password with spaces '

describe('an evm engine with key files', () => {
  let chain: EngineChain
  let side: Side
  let keys: { fundingKeyFile: string; claimKeyFile: string; passwordFile: string }

  beforeAll(async () => {
    chain = await EngineChain.start()
    side = new Side(chain, 0)
    const path = (name: string) => join(side.directory, name)
    keys = {
      fundingKeyFile: path('funding.json'),
      claimKeyFile: path('claim.json'),
      passwordFile: path('password'),
    }
    writeFileSync(keys.passwordFile, `${PASSWORD}\n`, { mode: 0o600 })
    await createKeystoreFile(keys.fundingKeyFile, PASSWORD, ANVIL_KEYS[1])
    await createKeystoreFile(keys.claimKeyFile, PASSWORD, side.claimKey)
  }, 60_000)
  afterAll(async () => {
    await chain?.anvil.stop()
    rmSync(side.directory, { recursive: true, force: true })
  })

  function make(change: Partial<typeof keys> = {}): EvmEngine {
    const directory = join(side.directory, 'books')
    const options: EvmEngineOptions = { ...side.options, directory, keys: { ...keys, ...change } }
    return new EvmEngine(options, { host: side, clock: systemClock, logger: silentLogger })
  }

  async function problem(change: Partial<typeof keys>): Promise<EngineConfigError> {
    try {
      const engine = make(change)
      await engine.start()
      await engine.stop()
    } catch (error) {
      expect(error).toBeInstanceOf(EngineConfigError)
      expect(String(error)).not.toContain('canary')
      return error as EngineConfigError
    }
    throw new Error('it started')
  }

  /** Another file with the same content. */
  function copy(file: string, name: string, mode = 0o600): string {
    const path = join(side.directory, name)
    copyFileSync(file, path)
    chmodSync(path, mode)
    return path
  }

  it('settles with the keys of keystores and the password of a file', async () => {
    const pair = await EnginePair.start(chain, { payer: { keys } })
    try {
      expect(pair.payer.engine.address).toBe(side.address)
      await pair.payer.settle('a', 77n)
      await pair.until('credited', () => pair.payee.creditedSum === 77n)
    } finally {
      await pair.stop()
    }
  }, 60_000)

  it('is refused with a wrong password, and says no part of it', async () => {
    const passwordFile = join(side.directory, 'wrong')
    writeFileSync(passwordFile, 'wrong canary', { mode: 0o600 })
    const { message, path } = await problem({ passwordFile })
    expect(path).toBe('keys.fundingKeyFile')
    expect(message).toContain('password is wrong')
  }, 60_000)

  it('is refused with key or password files that others may read', async () => {
    const fundingKeyFile = copy(keys.fundingKeyFile, 'open.json', 0o640)
    expect((await problem({ fundingKeyFile })).path).toBe('keys.fundingKeyFile')
    const passwordFile = copy(keys.passwordFile, 'open-password', 0o644)
    const { message, path } = await problem({ passwordFile })
    expect(path).toBe('keys.passwordFile')
    expect(message).toContain('chmod 600')
  }, 60_000)

  it('is refused with files that are missing, empty or no keys', async () => {
    expect((await problem({ passwordFile: join(side.directory, 'none') })).path).toBe('keys.passwordFile')
    const empty = join(side.directory, 'empty')
    writeFileSync(empty, '\n', { mode: 0o600 })
    expect((await problem({ passwordFile: empty })).path).toBe('keys.passwordFile')
    expect((await problem({ claimKeyFile: empty })).path).toBe('keys.claimKeyFile')
  }, 60_000)

  it('is refused with the same key in two keystores', async () => {
    const claimKeyFile = join(side.directory, 'same.json')
    await createKeystoreFile(claimKeyFile, PASSWORD, ANVIL_KEYS[1])
    const { message, path } = await problem({ claimKeyFile })
    expect(path).toBe('keys.claimKeyFile')
    expect(message).toContain('same key')
  }, 60_000)

  it('is refused with the key itself where the name of its file belongs, and does not repeat it', async () => {
    const key = ANVIL_KEYS[1]!
    for (const fundingKeyFile of [key, key.slice(2), join(side.directory, key)]) {
      const { message } = await problem({ fundingKeyFile })
      expect(message).toContain('not the key itself')
      expect(message).not.toContain(key.slice(2))
    }
    expect(readFileSync(keys.fundingKeyFile, 'utf8')).not.toContain(key.slice(2))
  })
})

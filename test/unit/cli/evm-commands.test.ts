import { chmodSync, existsSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { ANVIL_KEYS, Anvil } from '../../support/anvil.ts'
import { temporaryDirectory } from '../config/config-helpers.ts'
import { run } from './cli-helpers.ts'

/** Of the first of anvil's keys. */
const RICH = '0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266'

/** A directory with a password file, and standard input of these lines: typed at a terminal, or piped. */
function place(options: { typed?: string[]; piped?: string } = {}) {
  const workingDirectory = temporaryDirectory()
  writeFileSync(join(workingDirectory, 'password'), 'correct horse\n', { mode: 0o600 })
  const typed = [...(options.typed ?? [])]
  const stdin = {
    isTty: options.typed !== undefined,
    ask: async () => typed.shift() ?? '',
    readAll: async () => options.piped ?? '',
  }
  return { workingDirectory, stdin }
}

/** A file with a bare key. */
function bareKey(directory: string, key = ANVIL_KEYS[0]!): void {
  writeFileSync(join(directory, 'key'), `${key}\n`, { mode: 0o600 })
}

describe('evm key', () => {
  it('creates a keystore that only its owner may read, and never replaces a file', async () => {
    const world = place()
    const create = ['evm', 'key', 'create', '--out', 'key.json', '--password-file', 'password']
    const created = await run([...create, '--json'], world)
    expect(created).toMatchObject({ code: 0, err: '' })
    const { address, file } = JSON.parse(created.out) as { address: string; file: string }
    expect(statSync(file).mode & 0o777).toBe(0o600)
    expect(await run(['evm', 'key', 'address', 'key.json', '--password-file', 'password'], world)).toEqual({
      code: 0,
      out: `${address}\n`,
      err: '',
    })
    const before = readFileSync(file, 'utf8')
    const again = await run(create, world)
    expect(again.code).toBe(1)
    expect(again.err).toContain('is there already and is not replaced')
    expect(readFileSync(file, 'utf8')).toBe(before)
  })

  it('asks twice on a terminal, and writes nothing when the two differ', async () => {
    const create = ['evm', 'key', 'create', '--out', 'key.json']
    const different = place({ typed: ['one', 'other'] })
    expect((await run(create, different)).err).toContain('the two passwords differ: nothing was written')
    expect((await run(create, place({ typed: ['', ''] }))).err).toContain('the password is empty')
    const world = place({ typed: ['one', 'one', 'one', 'two'] })
    const { code, out } = await run(create, world)
    expect(code).toBe(0)
    expect((await run(['evm', 'key', 'address', 'key.json'], world)).out).toBe(out)
    expect((await run(['evm', 'key', 'address', 'key.json'], world)).err).toContain('the password is wrong')
  })

  it('imports a key from standard input, and repeats no part of one that does not fit', async () => {
    const secret = ANVIL_KEYS[0]!.slice(2)
    const bring = ['evm', 'key', 'import', '--out', 'key.json', '--password-file', 'password']
    expect(await run(bring, place({ piped: `${secret}\n` }))).toEqual({ code: 0, out: `${RICH}\n`, err: '' })
    expect((await run(bring, place({ typed: [`0x${secret}`] }))).out).toBe(`${RICH}\n`)
    const short = await run(bring, place({ piped: secret.slice(1) }))
    expect(short.code).toBe(2)
    expect(short.err).not.toContain(secret.slice(1, 9))
    const zero = await run(bring, place({ piped: '0'.repeat(64) }))
    expect(zero.err).toContain('that is no private key')
  })

  it('asks nobody where there is no terminal', async () => {
    const { code, err } = await run(['evm', 'key', 'create', '--out', 'key.json'], place())
    expect(code).toBe(2)
    expect(err).toContain('give --password-file')
    expect((await run(['evm', 'key', 'import', '--out', 'k'], place({ piped: 'x' }))).err).toContain(
      'give the password by --password-file',
    )
  })

  it('takes no password from a file that others may read', async () => {
    const world = place()
    chmodSync(join(world.workingDirectory, 'password'), 0o644)
    const { code, err } = await run(
      ['evm', 'key', 'create', '--out', 'key.json', '--password-file', 'password'],
      world,
    )
    expect(code).toBe(1)
    expect(err).toContain('chmod 600')
    expect(existsSync(join(world.workingDirectory, 'key.json'))).toBe(false)
  })

  it('tells the address of a bare key, and refuses a file that others may read', async () => {
    const world = place()
    bareKey(world.workingDirectory)
    expect((await run(['evm', 'key', 'address', 'key'], world)).out).toBe(`${RICH}\n`)
    writeFileSync(join(world.workingDirectory, 'open'), ANVIL_KEYS[0]!, { mode: 0o644 })
    expect((await run(['evm', 'key', 'address', 'open'], world)).err).toContain('chmod 600')
  })
})

describe('evm deploy and evm check', () => {
  let anvil: Anvil
  beforeEach(async () => {
    anvil = await Anvil.start()
  })
  afterEach(async () => anvil.stop())

  /** Each pause of the command is a block of the chain. */
  const mining = () => ({
    ...place(),
    now: () => Date.now(),
    sleep: async () => anvil.mine(),
  })
  const deploy = (...more: string[]) => [
    ...['evm', 'deploy', '--rpc', anvil.url, '--chain-id', String(anvil.chainId), '--key', 'key'],
    ...[...more, '--json'],
  ]
  const contractOf = (out: string) => JSON.parse(out) as { contract: string; created: boolean }

  it('deploys once, however often it is asked, and finds what it deployed', async () => {
    const world = mining()
    bareKey(world.workingDirectory)
    const first = await run(deploy(), world)
    expect(first.code).toBe(0)
    const { contract, ...rest } = contractOf(first.out)
    expect(rest).toMatchObject({ created: true, deployer: RICH, chainId: anvil.chainId })
    const sent = await anvil.transactionCount(RICH)
    const again = await run(deploy(), world)
    expect(again.code).toBe(0)
    expect(contractOf(again.out)).toMatchObject({ contract, created: false })
    expect(await anvil.transactionCount(RICH)).toBe(sent)

    const checked = await run(['evm', 'check', '--rpc', anvil.url, '--contract', contract], world)
    expect(checked.code).toBe(0)
    expect(checked.out).toContain('SettlementChannels of this version')
    expect(checked.out).toMatch(/ok +finalized +block \d+, 2 behind/)
  })

  it('deploys a further one where there is no proxy, and only when that is said', async () => {
    const world = mining()
    bareKey(world.workingDirectory, ANVIL_KEYS[1])
    await anvil.setCode('0x4e59b44847b379578588920ca78fbf26c0b4956c', '0x')
    expect((await run(deploy(), world)).err).toContain('Deploy with --without-proxy')
    const { code, out } = await run(deploy('--without-proxy', '--depth', '1'), world)
    expect(code).toBe(0)
    const { contract } = contractOf(out)
    expect((await run(['evm', 'check', '--rpc', anvil.url, '--contract', contract], world)).code).toBe(0)
  })

  it('sends nothing with a key that has a transaction waiting, no money, or on another chain', async () => {
    const world = mining()
    bareKey(world.workingDirectory, `0x${'77'.repeat(32)}`)
    expect((await run(deploy(), world)).err).toContain('does not hold the')
    const wrong = deploy().map((word) => (word === String(anvil.chainId) ? '1' : word))
    expect((await run(wrong, world)).err).toContain(`serves chain ${anvil.chainId}, not 1`)
    expect((await run(deploy('--max-fee', '0.000000001'), world)).err).toContain('above --max-fee')
    bareKey(world.workingDirectory)
    await anvil.setAutomine(false)
    await anvil.rpc('eth_sendTransaction', { from: RICH, to: RICH })
    const waiting = await run(deploy(), world)
    await anvil.setAutomine(true)
    await anvil.mine()
    expect(waiting.code).toBe(5)
    expect(waiting.err).toContain('has transactions waiting')
  })

  it('says that a transaction may still be mined when it stops waiting', async () => {
    const world = { ...mining(), sleep: async () => undefined }
    bareKey(world.workingDirectory)
    await anvil.setAutomine(false)
    let nowMs = Date.now()
    const now = () => (nowMs += 1_000)
    const late = await run(deploy('--wait', '10'), { ...world, now })
    await anvil.setAutomine(true)
    await anvil.mine()
    expect(late.code).toBe(7)
    expect(late.err).toContain('was sent and may still be mined')
  })

  it('says the same when the node goes away meanwhile', async () => {
    const world = { ...mining(), sleep: async () => anvil.stop() }
    bareKey(world.workingDirectory)
    await anvil.setAutomine(false)
    let nowMs = Date.now()
    const now = () => (nowMs += 1_000)
    const gone = await run(deploy('--wait', '4'), { ...world, now })
    expect(gone.code).toBe(7)
    expect(gone.err).toContain('cannot be reached')
  })

  it('finds what is in the way: another chain, no contract, an old block', async () => {
    const check = ['evm', 'check', '--rpc', anvil.url, '--contract', RICH]
    const later = { ...mining(), now: () => Date.now() + 86_400_000 }
    const { code, out } = await run([...check, '--chain-id', '5', '--json'], later)
    expect(code).toBe(1)
    const { findings } = JSON.parse(out) as { findings: { check: string; status: string }[] }
    const status = Object.fromEntries(findings.map((finding) => [finding.check, finding.status]))
    expect(status).toMatchObject({ chain: 'failed', contract: 'failed', 'newest block': 'warning' })
  })

  it('takes the URL from a file, and none with a password from the command line', async () => {
    const world = mining()
    writeFileSync(join(world.workingDirectory, 'url'), `${anvil.url}\n`)
    const check = ['evm', 'check', '--contract', RICH]
    expect((await run([...check, '--rpc-url-file', 'url'], world)).out).toContain('serves chain')
    expect(await run([...check, '--rpc', 'http://user:secret@127.0.0.1:1'], world)).toMatchObject({ code: 2 })
    expect((await run(check, world)).err).toContain('either --rpc or --rpc-url-file')
    expect((await run([...check, '--rpc-url-file', 'none'], world)).err).toContain('cannot be read (ENOENT)')
    expect((await run([...check, '--rpc', 'ws://127.0.0.1:1'], world)).err).toContain('not an http or https')
  })
})

import { execFileSync } from 'node:child_process'
import { closeSync, mkdtempSync, openSync, rmSync, statSync, truncateSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { waitFor } from '../support/wait-for.ts'
import { expectExactBalances } from './support/expect-exact-balances.ts'
import { ridesOutAnOutage } from './support/outage.ts'
import { createTwoAssetNode, type TwoAssetNode } from './support/two-asset-node.ts'

const EXPIRES_IN_MS = 4_000
const DISK_SIZE = '16m'
/** Enough to open files, too little to write much. */
const ROOM_FOR_LITTLE = 32_768
const LOAD_MS = 300
const READY = 'takes packets'

const disk = mountSmallDisk()

describe.skipIf(disk === undefined)('a node whose disk is full', () => {
  let scene: TwoAssetNode
  const filler = join(disk ?? '', 'filler')

  beforeAll(async () => {
    scene = await createTwoAssetNode({
      node: { dataDirectory: disk!, secretsFile: 'data/secrets.yaml' },
      expiresInMs: EXPIRES_IN_MS,
    })
    await scene.node.start()
  }, 60_000)
  afterAll(async () => {
    await Promise.all(scene.flows.map((flow) => flow.close()))
    await scene.node.destroy()
    execFileSync('umount', [disk!])
    rmSync(disk!, { recursive: true, force: true })
  })

  it('refuses value, serves packets without value, and goes on by itself with exact books once there is room', async () => {
    const line = await ridesOutAnOutage(scene, {
      expiresInMs: EXPIRES_IN_MS,
      begin: () => fill(filler),
      end: () => rmSync(filler),
    })
    console.info(`disk full: ${line}`)
    expect(scene.node.output).toContain('is full: free some space')
  }, 90_000)

  it('does not start while the disk is full, says why, and starts with its books whole once there is room', async () => {
    const { node } = scene
    await restartWith(() => fill(filler))
    const before = node.output.length
    node.launch()
    const end = await outcomeOfStart()
    const said = node.output.slice(before)
    node.signal('SIGKILL')
    await node.ended()
    rmSync(filler)
    await node.start()
    await expectExactBalances(scene)
    expect(end, said).toBe(1)
    expect(said).toContain(disk)
    expect(said).toContain('free some space')
  }, 60_000)

  it('books what comes after a start for which there was hardly room, whatever that start could write', async () => {
    const { node } = scene
    await restartWith(() => {
      fill(filler)
      truncateSync(filler, statSync(filler).size - ROOM_FOR_LITTLE)
    })
    node.launch()
    const end = await outcomeOfStart()
    rmSync(filler)
    if (end !== READY) await node.start()
    await load()
    node.signal('SIGKILL')
    await node.ended()
    await Promise.all(scene.flows.map((flow) => flow.disconnected()))
    await node.start()
    await load()
    for (const { heard } of scene.flows) expect(heard.length).toBeGreaterThan(0)
    await expectExactBalances(scene)
  }, 60_000)

  it('finds out by itself, without any packet, that the disk is full', async () => {
    const { node } = scene
    const ready = async () => (await node.get('/health/ready')).status
    await restartWith(() => undefined)
    await node.start()
    fill(filler)
    await waitFor('readiness is false', async () => (await ready()) === 503, 20_000)
    rmSync(filler)
    await waitFor('readiness is true again', async () => (await ready()) === 200, 20_000)
  }, 60_000)

  /** Stops the node in order and prepares the disk for its next start. */
  async function restartWith(prepare: () => void): Promise<void> {
    await Promise.all(scene.flows.map((flow) => flow.close()))
    scene.node.signal('SIGTERM')
    expect(await scene.node.ended()).toBe(0)
    prepare()
  }

  /** The exit code, or `READY`. */
  async function outcomeOfStart(): Promise<number | null | typeof READY> {
    const { node } = scene
    const ready = node.ready().then(
      (): typeof READY => READY,
      () => node.ended(),
    )
    return await Promise.race([node.ended(), ready])
  }

  /** Some packets, each with its answer. */
  async function load(): Promise<void> {
    const { flows } = scene
    await Promise.all(flows.map((flow) => flow.connect()))
    for (const flow of flows) flow.begin()
    await delay(LOAD_MS)
    await Promise.all(flows.map((flow) => flow.settled()))
  }
})

/** A disk of a few MiB; undefined where this process may not mount one. */
function mountSmallDisk(): string | undefined {
  const directory = mkdtempSync(join(tmpdir(), 'causeway-disk-'))
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${DISK_SIZE}`, 'tmpfs', directory], { stdio: 'pipe' })
    return directory
  } catch (error) {
    rmSync(directory, { recursive: true, force: true })
    console.warn(`\n*** SKIPPED: a full disk needs the right to mount a tmpfs: ${(error as Error).message}\n`)
    return undefined
  }
}

/** Writes until there is no room for another byte. */
function fill(path: string): void {
  const file = openSync(path, 'w')
  try {
    for (let size = 1_048_576; size >= 1; size = Math.floor(size / 16))
      writeWhileRoom(file, Buffer.alloc(size))
  } finally {
    closeSync(file)
  }
}

function writeWhileRoom(file: number, bytes: Buffer): void {
  for (;;) {
    try {
      if (writeSync(file, bytes) < bytes.length) return
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOSPC') return
      throw error
    }
  }
}

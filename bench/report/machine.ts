import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { availableParallelism, cpus, loadavg, release, totalmem, type } from 'node:os'
import { join } from 'node:path'
import { packageVersion } from '../../src/version.ts'
import { findTigerBeetle } from '../../test/support/tigerbeetle-server.ts'

const ROOT = join(import.meta.dirname, '../..')
const VERSION_DEADLINE_MS = 5_000

/** What the bench ran on. */
export interface Machine {
  cpuModel: string
  cores: number
  memoryBytes: number
  kernel: string
  node: string
  /** Processes that wanted to run in the last minute before the bench: well below 1 on a machine fit to measure. */
  loadAverageBefore: number
}

export function describeMachine(): Machine {
  return {
    cpuModel: cpus()[0]?.model.trim() ?? 'unknown',
    cores: availableParallelism(),
    memoryBytes: totalmem(),
    kernel: `${type()} ${release()}`,
    node: process.version,
    loadAverageBefore: loadavg()[0]!,
  }
}

/** Versions of what is compared, and of what our node leans on. */
export function describeVersions(): Record<string, string> {
  return {
    causeway: packageVersion,
    'ilp-connector': peerVersion('ilp-connector'),
    tigerbeetle: tigerBeetleVersion(),
    'tigerbeetle-node': peerVersion('tigerbeetle-node', join(ROOT, 'package.json')),
  }
}

function peerVersion(name: string, manifest = join(ROOT, 'bench/peers/package.json')): string {
  const { dependencies } = JSON.parse(readFileSync(manifest, 'utf8')) as {
    dependencies: Record<string, string>
  }
  return dependencies[name] ?? 'unknown'
}

function tigerBeetleVersion(): string {
  const binary = findTigerBeetle()
  if (binary === undefined) return 'no server at hand'
  const text = execFileSync(binary, ['version'], { encoding: 'utf8', timeout: VERSION_DEADLINE_MS })
  return text.trim().split(/\s+/).at(-1) ?? 'unknown'
}

import { existsSync } from 'node:fs'
import { type Finding, failed, ok, warning } from './finding.ts'

const NODE_MAJOR_MIN = 24
/** No honest clock is before the first release of this program. */
const EARLIEST_MS = Date.UTC(2026, 0, 1)
/** A clock far ahead is as wrong; nobody runs this release in twenty years. */
const LATEST_MS = Date.UTC(2046, 0, 1)
/** systemd-timesyncd makes the second file once the clock has been set from the network. */
const TIMESYNC_DIRECTORY = '/run/systemd/timesync'

/** Checks the Node that runs this, and the clock: packets expire by it. */
export function checkMachine(nowMs: number, nodeVersion: string): Finding[] {
  return [checkNode(nodeVersion), checkClock(nowMs)]
}

function checkNode(version: string): Finding {
  const major = Number(version.split('.')[0])
  if (major >= NODE_MAJOR_MIN) return ok('node', `Node ${version}`)
  return failed('node', `Node ${version} is too old`, `Install Node ${NODE_MAJOR_MIN} or newer`)
}

function checkClock(nowMs: number): Finding {
  const text = new Date(nowMs).toISOString()
  if (nowMs < EARLIEST_MS || nowMs > LATEST_MS) {
    return failed(
      'clock',
      `the clock says ${text}`,
      'Set it: every packet would look expired, or never expire',
    )
  }
  const hasTimesync = existsSync(TIMESYNC_DIRECTORY)
  if (hasTimesync && !existsSync(`${TIMESYNC_DIRECTORY}/synchronized`)) {
    return warning(
      'clock',
      `the clock says ${text}, and was not set from the network`,
      'Run: timedatectl set-ntp true',
    )
  }
  return ok('clock', text)
}

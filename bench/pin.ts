import { execFileSync } from 'node:child_process'
import { availableParallelism } from 'node:os'

/** Whether processes can be bound to cores here, and there are two to bind them to. */
export function canPin(): boolean {
  if (process.platform !== 'linux' || availableParallelism() < 2) return false
  try {
    execFileSync('taskset', ['-p', String(process.pid)], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}

/** Binds all threads of a process to the given cores, e.g. `0` or `0-3`. Its children inherit them. */
export function pin(pid: number, cores: string): void {
  execFileSync('taskset', ['--all-tasks', '--cpu-list', '--pid', cores, String(pid)], { stdio: 'ignore' })
}

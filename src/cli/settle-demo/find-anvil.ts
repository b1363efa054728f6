import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { CliError } from '../cli-error.ts'
import { ExitCode } from '../exit-code.ts'

/** npm packages name architectures in Go's way. */
const ARCHITECTURES: Record<string, string> = { x64: 'amd64', arm64: 'arm64' }

/**
 * The program anvil inside the npm package of this platform.
 * @throws CliError when it is not installed
 */
export function findAnvil(): string {
  const architecture = ARCHITECTURES[process.arch] ?? process.arch
  try {
    const require = createRequire(import.meta.url)
    const wrapper = createRequire(require.resolve('@foundry-rs/anvil/package.json'))
    const manifest = wrapper.resolve(`@foundry-rs/anvil-${process.platform}-${architecture}/package.json`)
    return join(dirname(manifest), 'bin', process.platform === 'win32' ? 'anvil.exe' : 'anvil')
  } catch {
    throw new CliError(
      ExitCode.failed,
      `anvil, a chain for tests, is not installed for ${process.platform}-${process.arch}. It is a development dependency: clone the project and run "npm ci"`,
    )
  }
}

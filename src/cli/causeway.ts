import { cliLoaders } from './cli-loaders.ts'
import { processIo } from './process-io.ts'
import { runCli } from './run-cli.ts'

/** A library that forgot a timer must not keep a finished command alive. */
const EXIT_GRACE_MS = 2_000

process.exitCode = await runCli(process.argv.slice(2), processIo(), cliLoaders)
setTimeout(() => process.exit(), EXIT_GRACE_MS).unref()

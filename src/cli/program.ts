import { Command } from 'commander'
import { packageVersion } from '../version.ts'
import type { CommandContext } from './command-context.ts'
import { registerBalances } from './commands/balances.ts'
import { registerChannels } from './commands/channels.ts'
import { registerCheckConfig } from './commands/check-config.ts'
import { registerCompletion } from './commands/completion.ts'
import { registerDemo } from './commands/demo.ts'
import { registerDoctor } from './commands/doctor.ts'
import { registerEngine } from './commands/engine.ts'
import { registerEvm } from './commands/evm.ts'
import { registerHistory } from './commands/history.ts'
import { registerInit } from './commands/init.ts'
import { registerLogLevel } from './commands/log-level.ts'
import { registerMetrics } from './commands/metrics.ts'
import { registerPay } from './commands/pay.ts'
import { registerPeers } from './commands/peers.ts'
import { registerPing } from './commands/ping.ts'
import { registerRates } from './commands/rates.ts'
import { registerReceive } from './commands/receive.ts'
import { registerReload } from './commands/reload.ts'
import { registerRoutes } from './commands/routes.ts'
import { registerSettlements } from './commands/settlements.ts'
import { registerStart } from './commands/start.ts'
import { registerStatus } from './commands/status.ts'
import { registerToken } from './commands/token.ts'

/** Every command, in the order of the help. */
export function buildProgram(context: CommandContext): Command {
  const { io } = context
  const program = new Command('causeway')
    .description(
      'An Interledger (ILPv4) connector node: routes, prices, balances and settles packets between peers.',
    )
    .version(packageVersion, '-V, --version', 'print the version')
    .helpCommand('help [command]', 'print the help of a command')
    .exitOverride()
    .showSuggestionAfterError()
    .showHelpAfterError('(--help tells more)')
    .configureOutput({
      writeOut: (text) => io.stdout.write(text),
      writeErr: (text) => io.stderr.write(text),
      getOutHasColors: () => false,
      getErrHasColors: () => false,
    })
  const registrations = [
    registerStart,
    registerInit,
    registerCheckConfig,
    registerDoctor,
    registerStatus,
    registerPeers,
    registerRoutes,
    registerRates,
    registerBalances,
    registerHistory,
    registerPing,
    registerPay,
    registerReceive,
    registerSettlements,
    registerChannels,
    registerToken,
    registerEngine,
    registerEvm,
    registerReload,
    registerLogLevel,
    registerMetrics,
    registerDemo,
    registerCompletion,
  ]
  for (const register of registrations) register(program, context)
  return program
}

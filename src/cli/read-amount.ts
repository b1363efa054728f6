import { CliError } from './cli-error.ts'
import { ExitCode } from './exit-code.ts'
import { toSmallestUnits } from './format-amount.ts'

export interface AmountForm {
  /** Whether the amount is in whole units and may have decimals. */
  isWhole: boolean
  code: string
  scale: number
  /** Longest number of smallest units. */
  digitsMax: number
}

/**
 * An amount of the command line in smallest units.
 * @throws CliError when it is not an amount, or zero
 */
export function readAmount(text: string, { isWhole, code, scale, digitsMax }: AmountForm): string {
  if (isWhole) {
    try {
      return checkPositive(toSmallestUnits(text, scale))
    } catch (error) {
      throw new CliError(ExitCode.usage, (error as Error).message)
    }
  }
  if (/^\d+$/.test(text)) {
    if (text.length <= digitsMax) return checkPositive(BigInt(text).toString())
    throw new CliError(ExitCode.usage, `the amount is too large: at most ${digitsMax} digits`)
  }
  const example = `"${text.slice(0, 40)}" is not a whole number of smallest units; "1" followed by ${scale} zeros is 1 ${code}`
  throw new CliError(ExitCode.usage, `${example}. For ${code} with decimals add --whole`)
}

function checkPositive(units: string): string {
  if (units !== '0') return units
  throw new CliError(ExitCode.usage, 'the amount is zero: give a positive one')
}

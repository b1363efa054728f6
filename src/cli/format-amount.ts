/** `1234567` of scale 6 as `1.234567`: exact, all decimal places, sign kept. What is no integer comes back as it is. */
export function formatAmount(units: string, scale: number): string {
  const match = /^(-?)(\d+)$/.exec(units)
  if (match === null) return units
  const [, sign, digits] = match
  if (scale === 0) return units
  const padded = digits!.padStart(scale + 1, '0')
  return `${sign}${padded.slice(0, -scale)}.${padded.slice(-scale)}`
}

/**
 * `1.5` whole units at scale 6 as `1500000`.
 * @throws RangeError when it is not a positive decimal number, or has more decimal places than the account
 */
export function toSmallestUnits(text: string, scale: number): string {
  const match = /^(\d{1,20})(?:\.(\d{1,255}))?$/.exec(text)
  if (match === null) throw new RangeError(`"${text.slice(0, 60)}" is not a decimal number, e.g. 12.50`)
  const decimals = match[2] ?? ''
  if (decimals.length > scale) {
    throw new RangeError(`"${text.slice(0, 60)}" has more than the ${scale} decimal places of the account`)
  }
  return BigInt(match[1]! + decimals.padEnd(scale, '0')).toString()
}

/** `1.234567 USD`. */
export function formatMoney(units: string, scale: number, code: string): string {
  return `${formatAmount(units, scale)} ${code}`
}

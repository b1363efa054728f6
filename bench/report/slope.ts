/** Line through points by least squares. */
export interface Slope {
  /** Change of y per one x. */
  slope: number
  /** Standard error of the slope; NaN with fewer than three points. */
  standardError: number
  /** y at x = 0. */
  intercept: number
}

/** The line that is nearest to the points. All NaN with fewer than two different x. */
export function slope(points: readonly { x: number; y: number }[]): Slope {
  const n = points.length
  const meanX = points.reduce((sum, { x }) => sum + x, 0) / n
  const meanY = points.reduce((sum, { y }) => sum + y, 0) / n
  let xx = 0
  let xy = 0
  for (const { x, y } of points) {
    xx += (x - meanX) ** 2
    xy += (x - meanX) * (y - meanY)
  }
  const gradient = xx > 0 ? xy / xx : Number.NaN
  const intercept = meanY - gradient * meanX
  const squares = points.reduce((sum, { x, y }) => sum + (y - intercept - gradient * x) ** 2, 0)
  const standardError = n > 2 ? Math.sqrt(squares / (n - 2) / xx) : Number.NaN
  return { slope: gradient, standardError, intercept }
}

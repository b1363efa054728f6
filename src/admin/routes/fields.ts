import { z } from 'zod'

/** Fields that several routes share. */

export const identifier = z
  .string()
  .regex(/^[A-Za-z0-9_~-]{1,64}$/, 'use 1 to 64 letters, digits, "_", "~" or "-"')

export const idParams = z.strictObject({ id: identifier })

/** An amount in a reply: exact at any size. */
export const amount = z
  .string()
  .regex(/^-?\d{1,40}$/)
  .describe('Smallest units of the asset, decimal string.')

/** A positive amount in a request, at most what a packet's amount field holds. */
export const positiveAmount = z
  .string()
  .regex(/^[1-9]\d{0,19}$/, positiveProblem(20))
  .refine(
    (text) => BigInt(text.slice(0, 20).replace(/\D/g, '') || '0') <= 2n ** 64n - 1n,
    'at most 18446744073709551615',
  )

/** A positive amount that no packet carries: a sum, or units of a network's token, which may be as fine as 10^-18. */
export const positiveSum = z.string().regex(/^[1-9]\d{0,37}$/, positiveProblem(38))

export const assetCode = z.string().regex(/^[A-Za-z0-9._-]{1,32}$/, 'an asset code such as USD')
export const assetScale = z.number().int().min(0).max(255)

export const ilpAddress = z
  .string()
  .max(1023)
  .regex(
    /^(g|private|example|peer|self|test[1-3]?|local)(\.[A-Za-z0-9_~-]+)+$/,
    'an ILP address such as g.example.alice',
  )

/** A whole number in a query, which is text. */
export function queryInteger(range: { min: number; max: number; fallback: number }) {
  return z
    .string()
    .regex(/^\d{1,9}$/, 'a whole number')
    .transform(Number)
    .pipe(z.number().int().min(range.min).max(range.max))
    .default(range.fallback)
    .meta({
      integer: { type: 'integer', minimum: range.min, maximum: range.max },
      description: `${range.min} to ${range.max}, default ${range.fallback}.`,
    })
}

/** Where a list goes on that is read from the newest entry back. */
export const beforeCursor = z
  .string()
  .regex(/^[\x21-\x7e]{1,128}$/, 'the `nextCursor` of the page before')
  .optional()
  .describe('`nextCursor` of the page before.')

export const offsetQuery = z.strictObject({
  limit: queryInteger({ min: 1, max: 10_000, fallback: 1_000 }),
  offset: queryInteger({ min: 0, max: 10_000_000, fallback: 0 }),
})

/** One page of a list that is in memory as a whole. */
export function offsetPage<T>(all: readonly T[], query: { limit: number; offset: number }) {
  const data = all.slice(query.offset, query.offset + query.limit)
  return {
    data,
    count: data.length,
    pagination: { total: all.length, limit: query.limit, offset: query.offset },
  }
}

/** Says which bound it was: a number that is too long is written well. */
function positiveProblem(digitsMax: number) {
  const error = ({ input }: { input?: unknown }) =>
    /^[1-9]\d*$/.test(String(input))
      ? `the number is too large: at most ${digitsMax} digits`
      : 'write a whole number of smallest units above 0 as a string, e.g. "1000000"'
  return { error }
}

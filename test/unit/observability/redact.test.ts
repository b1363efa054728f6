import fc from 'fast-check'
import { expect, it } from 'vitest'
import { isSecretName, redact } from '../../../src/observability/redact.ts'

const CANARY = 'canary-91c2aa07f4'
const SECRET_NAMES = [
  'token',
  'Password',
  'x-api-key',
  'preimage',
  'MACAROON',
  'privateKey',
  'sharedSecret',
  'keys',
]

it('makes anything at all printable, without throwing', () => {
  fc.assert(
    fc.property(fc.anything({ withBigInt: true, withDate: true, withMap: true, withSet: true }), (value) => {
      expect(() => JSON.stringify(redact(value))).not.toThrow()
    }),
  )
})

it('never lets a value under a secret name through, wherever it is', () => {
  const name = fc.constantFrom(...SECRET_NAMES)
  const { tree } = fc.letrec((tie) => ({
    tree: fc.oneof(
      { maxDepth: 8 },
      name.map((key) => ({ [key]: CANARY })),
      fc.tuple(name, fc.jsonValue()).map(([key, value]) => ({ [key]: [CANARY, value] })),
      fc.array(tie('tree'), { maxLength: 3 }),
      fc.dictionary(fc.string(), tie('tree'), { maxKeys: 3 }),
      tie('tree').map((value) => new Map([['inner', value]])),
    ),
  }))
  fc.assert(
    fc.property(tree, (value) => {
      expect(JSON.stringify(redact(value))).not.toContain(CANARY)
    }),
  )
})

it('bounds depth, entries and texts', () => {
  let deep: unknown = 'end'
  for (let level = 0; level < 10_000; level++) deep = { deep }
  expect(JSON.stringify(redact(deep)).length).toBeLessThan(200)
  expect((redact(Array.from({ length: 5_000 }, () => 1)) as unknown[]).length).toBe(101)
  expect(String(redact('x'.repeat(1_000_000))).length).toBeLessThan(4_100)
})

it('knows secret names from others', () => {
  for (const name of SECRET_NAMES) expect(isSecretName(name), name).toBe(true)
  for (const name of [
    'peer',
    'publicKey',
    'idempotencyKey',
    'secretsFile',
    'keyboard',
    'amount',
    'condition',
  ]) {
    expect(isSecretName(name), name).toBe(false)
  }
})

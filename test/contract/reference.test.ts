import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import { adminReference } from '../../src/admin/admin-reference.ts'
import { API_ERRORS } from '../../src/admin/api-error.ts'
import { openApiDocument } from '../../src/admin/openapi.ts'
import { ROUTES } from '../../src/admin/route-registry.ts'
import { metricsReference } from '../../src/observability/metrics-reference.ts'

const ROOT = new URL('../../', import.meta.url)
const { version } = JSON.parse(readFileSync(new URL('package.json', ROOT), 'utf8')) as { version: string }

/** Run with UPDATE_REFERENCE=1 to write the pages anew. */
const PAGES: Record<string, () => string> = {
  'docs/reference/admin-api.md': () => adminReference(ROUTES),
  'docs/reference/openapi.json': () => `${JSON.stringify(openApiDocument(ROUTES, { version }), null, 2)}\n`,
  'docs/reference/metrics.md': metricsReference,
}

it.each(Object.keys(PAGES))('%s is what the source generates', (path) => {
  const file = new URL(path, ROOT)
  const generated = PAGES[path]?.() ?? ''
  if (process.env.UPDATE_REFERENCE === '1') {
    mkdirSync(new URL('.', file), { recursive: true })
    writeFileSync(file, generated)
  }
  expect(readFileSync(file, 'utf8'), 'run this test with UPDATE_REFERENCE=1').toBe(generated)
})

it('the reference names every error code, route and scope', () => {
  const page = adminReference(ROUTES)
  for (const code of Object.keys(API_ERRORS)) expect(page).toContain(`| \`${code}\` |`)
  for (const route of ROUTES) expect(page).toContain(`### ${route.method} ${route.path}`)
})

it('the OpenAPI document resolves its references and has one operation id per operation', () => {
  const document = openApiDocument(ROUTES, { version }) as {
    paths: Record<string, Record<string, { operationId: string }>>
  }
  const ids = Object.values(document.paths).flatMap((path) =>
    Object.values(path).map((entry) => entry.operationId),
  )
  expect(new Set(ids).size).toBe(ids.length)
  expect(ids).toHaveLength(ROUTES.length)
  const references = [...JSON.stringify(document).matchAll(/"\$ref":"#\/([^"]+)"/g)].map(
    (match) => match[1] as string,
  )
  expect(references.length).toBeGreaterThan(0)
  for (const reference of references) {
    const target = reference
      .split('/')
      .reduce<unknown>((value, key) => (value as Record<string, unknown> | undefined)?.[key], document)
    expect(target, reference).toBeDefined()
  }
})

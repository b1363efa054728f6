import { expect, it } from 'vitest'
import { adminReference } from '../../src/admin/admin-reference.ts'
import { API_ERRORS } from '../../src/admin/api-error.ts'
import { openApiDocument } from '../../src/admin/openapi.ts'
import { ROUTES } from '../../src/admin/route-registry.ts'

it('the reference names every error code, route and scope', () => {
  const page = adminReference(ROUTES)
  for (const code of Object.keys(API_ERRORS)) expect(page).toContain(`| \`${code}\` |`)
  for (const route of ROUTES) expect(page).toContain(`### ${route.method} ${route.path}`)
})

it('the OpenAPI document resolves its references and has one operation id per operation', () => {
  const document = openApiDocument(ROUTES, { version: '0.0.0' }) as {
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

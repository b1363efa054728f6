import { expect, it } from 'vitest'
import { hideSecrets } from '../../../src/admin/hide-secrets.ts'

it('hides texts at and below secret names, and keeps references, places and everything else', () => {
  const settings = {
    id: 'alice',
    link: {
      plugin: 'btp',
      token: 'hunter2',
      auth: { tokens: ['a', 'env:TOKEN'], key: { value: 'b', bits: 256 } },
    },
    admin: { keys: ['secret:one', 'file:/run/key'] },
    secretsFile: './secrets.yaml',
  }
  expect(hideSecrets(settings)).toEqual({
    id: 'alice',
    link: {
      plugin: 'btp',
      token: '[redacted]',
      auth: { tokens: ['[redacted]', 'env:TOKEN'], key: { value: '[redacted]', bits: 256 } },
    },
    admin: { keys: ['secret:one', 'file:/run/key'] },
    secretsFile: './secrets.yaml',
  })
})

import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { temporaryDirectory } from '../config/config-helpers.ts'
import { run } from './cli-helpers.ts'

const configure = (link: string, plugins = '{}') => {
  const workingDirectory = temporaryDirectory()
  const text = `node: { environment: test, ilpAddress: test.me }
plugins: ${plugins}
peers:
  - { id: a, relation: child, asset: { code: USD, scale: 2 }, creditLimit: "1", link: ${link} }
`
  writeFileSync(join(workingDirectory, 'causeway.yaml'), text)
  return workingDirectory
}

describe('options of plugins and links', () => {
  const hash = '0'.repeat(64)

  it('are checked by the plugins, as start does', async () => {
    const workingDirectory = configure(
      `{ plugin: btp, mode: server, tokenSha256: "${hash}" }`,
      '{ btp: { listen: { port: 7768 } } }',
    )
    expect(await run(['check-config'], { workingDirectory })).toMatchObject({ code: 0, err: '' })
  })

  it.each([
    [
      'a wrong option of a link',
      `{ plugin: btp, mode: sideways }`,
      '{}',
      'peers[0].link.mode: must be "server"',
    ],
    [
      'an unknown option of a link',
      `{ plugin: btp, mode: server, tokenSha256: "${hash}", colour: red }`,
      '{}',
      'peers[0].link.colour: ',
    ],
    [
      'a wrong option of a plugin',
      `{ plugin: btp, mode: server, tokenSha256: "${hash}" }`,
      '{ btp: { authDeadlineMs: soon } }',
      'plugins.btp.authDeadlineMs: ',
    ],
    [
      'a plugin that is not there',
      '{ plugin: ./none.js }',
      '{}',
      'plugins../none.js: plugin "./none.js" was not found',
    ],
  ])('end with exit code 3 when there is %s', async (_, link, plugins, problem) => {
    const workingDirectory = configure(link, plugins)
    for (const command of ['check-config', 'start']) {
      const { code, err } = await run([command], { workingDirectory })
      expect(code).toBe(3)
      expect(err).toContain(problem)
    }
    const { code, out } = await run(['doctor'], { workingDirectory })
    expect(code).toBe(1)
    expect(out).toContain(problem)
  })
})

import { inspect } from 'node:util'
import { describe, expect, it } from 'vitest'
import { redact } from '../../../src/config/redact.ts'
import { child, GOOD, loadText, problemsOf } from './config-helpers.ts'

const CANARY = 'canary-91fe0b-and-long-enough-to-be-a-key'

describe('the view of the configuration', () => {
  it('hides what stands in fields with names of secrets, and in URLs', () => {
    const view = redact({
      token: CANARY,
      authToken: CANARY,
      nested: { keys: [CANARY, { deep: CANARY }], privateKey: CANARY, password: 12345 },
      url: `btp+ws://user:${CANARY}@host:1/path`,
      publicKey: 'shown',
      tokenSha256: 'abc',
      allowShortTokens: true,
      reference: 'secret:name',
      secret: 'env:NAME',
    })
    expect(view).toEqual({
      token: '[redacted]',
      authToken: '[redacted]',
      nested: {
        keys: ['[redacted]', { deep: '[redacted]' }],
        privateKey: '[redacted]',
        password: '[redacted]',
      },
      url: 'btp+ws://[redacted]@host:1/path',
      publicKey: 'shown',
      tokenSha256: 'abc',
      allowShortTokens: true,
      reference: 'secret:name',
      secret: 'env:NAME',
    })
  })

  it('holds references, never the secrets they lead to', () => {
    const link = '{ plugin: btp, mode: client, url: "wss://x.example", token: "secret:t" }'
    const text = `${GOOD}admin: { keys: ["secret:k"] }\npeers:\n${child('a').replace(/\{ plugin.*\}/, link)}`
    const loaded = loadText(text, { secrets: { t: CANARY, k: CANARY } })
    expect(loaded.secrets.resolveAll(loaded.config.peers[0]?.link)).toMatchObject({ token: CANARY })
    const shown = [
      inspect(loaded, { depth: 20, showHidden: true }),
      JSON.stringify(loaded),
      JSON.stringify(redact(loaded.config)),
    ]
    for (const text of shown) expect(text).not.toContain('canary')
    expect(shown[2]).toContain('secret:t')
  })
})

describe('a secret in the clear', () => {
  const withLink = (link: string) => `${GOOD}peers:\n${child('shop').replace(/\{ plugin.*\}/, link)}`

  it('is refused with the way to move it, and not repeated', () => {
    expect(problemsOf(withLink(`{ plugin: btp, token: ${CANARY} }`))).toEqual([
      'peers[0].link.token (line 9): a secret is written in the clear. Move it to the secrets file under the name "shop-token" and write "secret:shop-token" here ("env:<NAME>" and "file:<path>" work too)',
    ])
  })

  it('is refused in development too', () => {
    const text = withLink(`{ plugin: btp, token: ${CANARY} }`).replace(
      'environment: test',
      'environment: development',
    )
    expect(problemsOf(text)).toHaveLength(1)
  })

  it('is found in nested options, lists, URLs, numbers and sections of plugins', () => {
    const problems = problemsOf(
      `${withLink(`{ plugin: x, a: { b: { secret: ${CANARY} } }, keys: [${CANARY}], url: "btp+ws://:${CANARY}@h", password: 1234 }`)}plugins: { custom: { apiKey: ${CANARY} } }`,
    )
    expect(problems.map((problem) => problem.split(' ')[0])).toEqual([
      'peers[0].link.a.b.secret',
      'peers[0].link.keys[0]',
      'peers[0].link.url',
      'peers[0].link.password',
      'plugins.custom.apiKey',
    ])
    expect(problems.join('\n')).not.toContain('canary')
  })

  it('is not what a public key is', () => {
    const key = '-----BEGIN PUBLIC KEY-----\\nMCow\\n-----END PUBLIC KEY-----'
    expect(problemsOf(withLink(`{ plugin: x, key: "${key}" }`))).toEqual([])
  })

  it('is not shown when it stands in admin.keys', () => {
    const [problem] = problemsOf(`${GOOD}admin: { keys: ["${CANARY}!"] }\n`)
    expect(problem).toContain('a secret is given as "secret:<name>"')
    expect(problem).not.toContain('canary')
  })

  it('is refused as an admin key when it is too short', () => {
    const text = `${GOOD}admin: { keys: ["secret:k"] }\n`
    expect(problemsOf(text, { secrets: { k: 'canary-short' } })).toEqual([
      'admin.keys[0] (line 4): the key is shorter than 32 bytes and could be guessed. Generate one: causeway token key',
    ])
  })

  it('that is referred to must be there', () => {
    const [problem] = problemsOf(withLink('{ plugin: btp, token: "secret:gone" }'))
    expect(problem).toContain('peers[0].link.token (line 9): the secrets file')
    expect(problem).toContain('has no secret "gone". Add a line "gone: <value>"')
  })
})

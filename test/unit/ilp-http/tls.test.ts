import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { LinkConfigError } from '../../../src/peers/link.ts'
import { waitFor } from '../../compliance/wait-for.ts'
import { IN_TOKEN, TestBench } from './test-bench.ts'

// A certificate of the test's own for 127.0.0.1, signed by itself, with its key: worth nothing elsewhere.
const baseDirectory = fileURLToPath(new URL('./fixtures', import.meta.url))
const tls = { certFile: 'test-cert.pem', keyFile: 'test-key.pem' }
const PREPARE = Buffer.from([12, 1, 0])

let bench: TestBench
beforeEach(() => {
  bench = new TestBench()
})
afterEach(() => bench.close())

describe('ilp-http over TLS', () => {
  it('carries packets when the authority is known', async () => {
    const { plugin, url } = await bench.plugin({ tls }, { baseDirectory })
    expect(url).toMatch(/^https:/)
    const served = await bench.link(plugin, { incoming: { scheme: 'bearer', token: IN_TOKEN } })
    const outgoing = { scheme: 'bearer', token: IN_TOKEN, url, caFile: 'test-cert.pem', probeMinMs: 10 }
    const { link, receiver } = await bench.link(plugin, { outgoing }, 'bob')
    await waitFor('the link to be connected', () => link.connected)
    link.sendPrepare(1, PREPARE, 0, 3, Date.now() + 9_000)
    await waitFor('the prepare', () => served.receiver.prepares.length === 1)
    served.link.sendReply(served.receiver.prepares[0]!.handle, Buffer.from([13, 0]), 0, 2)
    await waitFor('the reply', () => receiver.replies.length === 1)
  })

  it('does not talk to a server whose certificate it cannot check', async () => {
    const { plugin, url } = await bench.plugin({ tls }, { baseDirectory })
    const { link, receiver } = await bench.link(plugin, {
      outgoing: { scheme: 'bearer', token: IN_TOKEN, url, probeMinMs: 10 },
    })
    await waitFor('the reason', () => /SELF_SIGNED/.test(link.status().lastError ?? ''))
    expect(receiver.connections).toBe(0)
  })

  it('says which file it cannot read', async () => {
    const missing = { ...tls, keyFile: 'nowhere.pem' }
    await expect(bench.plugin({ tls: missing }, { baseDirectory })).rejects.toThrow(LinkConfigError)
    await expect(bench.plugin({ tls: missing }, { baseDirectory })).rejects.toThrow(/nowhere\.pem/)
  })
})

import { describe, expect, it } from 'vitest'
import type { PeerServiceDeps } from '../../../src/services/peer-service.ts'
import { Peers } from '../../../src/services/peer-service.ts'
import { Sequence } from '../../../src/services/sequence.ts'

describe('changes of peers by operators', () => {
  it('wait for a reload that is under way: both may be about the same peer', async () => {
    const changes = new Sequence()
    const seen: string[] = []
    const registry = { get: () => void seen.push('operator') }
    const peers = new Peers({ registry, changes } as unknown as PeerServiceDeps)
    const reload = Promise.withResolvers<void>()
    const reloaded = changes.run(async () => {
      await reload.promise
      seen.push('reload')
    })
    const removed = peers.remove('bob').catch((error: Error) => error.message)
    reload.resolve()
    await reloaded
    expect(await removed).toBe('there is no peer "bob"')
    expect(seen).toEqual(['reload', 'operator'])
  })
})

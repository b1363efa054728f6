import { describe, expect, it, vi } from 'vitest'
import { localSettings, PeerRegistry, type PeerRegistryDeps } from '../../../src/peers/peer-registry.ts'

describe('a peer that is removed', () => {
  it('is disconnected although its settlement engine does not let go of it', async () => {
    const stop = vi.fn(async () => undefined)
    const registry = new PeerRegistry({
      ledger: { openAccount: async () => ({}) },
      plugins: { openLink: async () => ({ start: async () => undefined, stop }) },
      forwarder: { receiver: () => ({}) },
      routes: { addAccount: () => undefined, removeAccount: () => undefined, put: () => undefined },
      settlement: {
        put: async () => undefined,
        remove: async () => {
          throw new Error('disk full')
        },
      },
      clock: { now: () => 0 },
      logger: { child: () => ({}) },
      linkOptions: () => ({}),
      connected: () => undefined,
    } as unknown as PeerRegistryDeps)
    await registry.add(
      localSettings({ id: 'bob', asset: { code: 'USD', scale: 9 }, creditLimit: '0' }),
      'local',
    )
    await expect(registry.remove('bob')).rejects.toThrow('disk full')
    expect(stop).toHaveBeenCalledOnce()
  })
})

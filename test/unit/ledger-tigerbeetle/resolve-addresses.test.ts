import { describe, expect, it } from 'vitest'
import { resolveAddresses } from '../../../src/ledger/tigerbeetle/resolve-addresses.ts'

const TIMEOUT_MS = 5_000

describe('resolveAddresses', () => {
  it('keeps IP addresses', async () => {
    const addresses = ['127.0.0.1:3000', '[::1]:3001']
    expect(await resolveAddresses(addresses, TIMEOUT_MS)).toEqual(addresses)
  })

  it('replaces host names, IPv4 first', async () => {
    expect(await resolveAddresses(['localhost:3000'], TIMEOUT_MS)).toEqual(['127.0.0.1:3000'])
  })

  it.each([
    '',
    ':3000',
    'localhost',
    'localhost:',
    '127.0.0.1:0',
    '127.0.0.1:65536',
    '3000',
    'a b:1',
    '::1:3000',
  ])('refuses "%s" and says what an address looks like', async (address) => {
    await expect(resolveAddresses([address], TIMEOUT_MS)).rejects.toThrow(/is not host:port/)
  })

  it('refuses no address and more than a cluster has replicas', async () => {
    await expect(resolveAddresses([], TIMEOUT_MS)).rejects.toThrow(/1 to 6 addresses/)
    const seven = new Array<string>(7).fill('127.0.0.1:3000')
    await expect(resolveAddresses(seven, TIMEOUT_MS)).rejects.toThrow(/1 to 6 addresses/)
  })

  it('names the host that does not resolve', async () => {
    await expect(resolveAddresses(['nowhere.invalid:3000'], TIMEOUT_MS)).rejects.toThrow(/nowhere\.invalid/)
  })
})

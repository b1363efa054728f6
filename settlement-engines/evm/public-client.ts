import { createPublicClient, custom, type PublicClient } from 'viem'
import type { Chain } from './chain.ts'
import { ChainError } from './chain-error.ts'

/**
 * A viem client whose reads go through `chain`: its nodes, deadlines, retries and chain id check. For calls and
 * simulations of contracts; never for sending, which is the transaction sender's alone.
 */
export function publicClientOf(chain: Chain): PublicClient {
  const request = async ({ method, params }: { method: string; params?: unknown }): Promise<unknown> => {
    try {
      return await chain.request(method, Array.isArray(params) ? params : [], (value) => value)
    } catch (error) {
      // viem tells reverts and refusals apart by a numeric code.
      if (!(error instanceof ChainError) || error.rpcCode === undefined) throw error
      throw Object.assign(new Error(error.message), { code: error.rpcCode, data: error.data })
    }
  }
  return createPublicClient({ transport: custom({ request }, { retryCount: 0 }), cacheTime: 0 })
}

/** A configuration with an EVM engine whose key files, `funding` and `claim`, stand beside it, or do not. */
export const EVM_SECTION = `admin: { port: 0 }
settlement:
  engines:
    evm:
      type: evm
      rpcUrls: ["http://127.0.0.1:1"]
      chainId: 1
      contract: "0x${'ab'.repeat(20)}"
      keys: { fundingKeyFile: funding, claimKeyFile: claim }
      assets: { USD: { token: native, deposit: "1", maxDepositPerChannel: "1", totalBudget: "1", claimAtValue: "1" } }
`

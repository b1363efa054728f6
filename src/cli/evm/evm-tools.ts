import { mkdirSync } from 'node:fs'
import { dirname } from 'node:path'
import type { Hex } from 'viem'
import { getAddress } from 'viem'
import {
  createKeystoreFile,
  readKeystoreFile,
  readPasswordFile,
  readSecretKeyFile,
} from '../../../settlement-engines/evm/key-file.ts'
import type { SigningKey } from '../../../settlement-engines/evm/signing-key.ts'
import { type CheckedContract, checkContract } from './check-contract.ts'
import {
  type DeployedContract,
  type DeployOptions,
  type DeployWorld,
  deployContract,
} from './deploy-contract.ts'

/** What the `evm` commands do with keys and chains. Loaded when one of them runs: the libraries are large. */
export interface EvmTools {
  /** The password in a file that its owner alone may read. */
  readPassword(path: string): string
  /** A new keystore file, mode 0600, for a new key or the given one. @returns its address */
  createKey(path: string, password: string, privateKey: string | undefined): Promise<string>
  /** The address of a key file. @param password of a keystore; undefined: the file holds a bare key */
  addressOf(path: string, password: string | undefined): Promise<string>
  deploy(options: DeployOptions & KeyPlace, world: DeployWorld): Promise<DeployedContract>
  check(options: {
    rpcUrl: string
    contract: string
    chainId: number | undefined
    nowMs: number
  }): Promise<CheckedContract>
}

/** Of a directory that is made for a key. */
const KEY_DIRECTORY_MODE = 0o700

interface KeyPlace {
  keyFile: string
  password: string | undefined
}

export const evmTools: EvmTools = {
  readPassword: readPasswordFile,
  createKey: async (path, password, privateKey) => {
    mkdirSync(dirname(path), { recursive: true, mode: KEY_DIRECTORY_MODE })
    return getAddress(await createKeystoreFile(path, password, privateKey as Hex | undefined))
  },
  addressOf: async (path, password) => getAddress((await openKey(path, password)).address),
  deploy: async ({ keyFile, password, ...options }, world) =>
    await deployContract(options, { ...world, key: await openKey(keyFile, password) }),
  check: checkContract,
}

async function openKey(path: string, password: string | undefined): Promise<SigningKey> {
  return password === undefined ? readSecretKeyFile(path) : await readKeystoreFile(path, password)
}

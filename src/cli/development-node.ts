import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { DEFAULT_ADMIN_KEY_NAME } from '../config/admin-keys.ts'
import { generateToken } from '../config/generate-token.ts'
import { addSecrets } from '../config/secrets-file.ts'
import { writeFileAtomic } from '../config/write-file-atomic.ts'

/** Where a development node keeps everything, from the working directory. */
export const DEVELOPMENT_CONFIG = 'data/config.yaml'

/** Peers of the example: they dial in with a token. */
const EXAMPLE_PEERS = ['east', 'west'] as const
const CONFIG_FILE_MODE = 0o644

/**
 * Makes the configuration and secrets of a development node, when `path` is not there yet. Resolves with the tokens
 * of its example peers, by peer id: only their hashes are written, so this is the one time to show them. Empty when
 * the configuration was there already.
 */
export async function ensureDevelopmentNode(path: string): Promise<ReadonlyMap<string, string>> {
  if (existsSync(path)) return new Map()
  const tokens = new Map(EXAMPLE_PEERS.map((id) => [id, generateToken()]))
  const hashes = new Map(
    [...tokens].map(([id, token]) => [id, createHash('sha256').update(token).digest('hex')]),
  )
  // Makes the directory, private, and leaves secrets of an earlier node as they are.
  await addSecrets(join(dirname(path), 'secrets.yaml'), new Map([[DEFAULT_ADMIN_KEY_NAME, generateToken()]]))
  await writeFileAtomic(path, renderConfig(hashes), { mode: CONFIG_FILE_MODE, replace: false })
  return tokens
}

function renderConfig(tokenHashes: ReadonlyMap<string, string>): string {
  const [east, west] = EXAMPLE_PEERS.map((id) => tokenHashes.get(id))
  return `# A development node, made by "causeway start --dev". It listens on this machine only; its money is play money.
# Change what you like, or remove the directory to begin anew. Every key: docs/reference/configuration.md

node:
  id: local-node
  environment: development
  ilpAddress: test.local-node
  dataDirectory: .

plugins:
  btp:
    listen: { host: 127.0.0.1, port: 7768 }
  ilp-http:
    listen: { host: 127.0.0.1, port: 7770 }

# Two example children. They connect to btp+ws://127.0.0.1:7768, each with its own token, and get the addresses
# test.local-node.east and test.local-node.west. New tokens: causeway token btp
peers:
  - id: east
    relation: child
    asset: { code: USD, scale: 6 }
    creditLimit: "1000000000"
    link:
      plugin: btp
      mode: server
      tokenSha256: ${east}
  - id: west
    relation: child
    asset: { code: EUR, scale: 6 }
    creditLimit: "1000000000"
    link:
      plugin: btp
      mode: server
      tokenSha256: ${west}

# Two accounts of the node itself, in two currencies, with credit to spend: 10,000 each.
accounts:
  - id: alice
    asset: { code: USD, scale: 6 }
    creditLimit: "10000000000"
  - id: bob
    asset: { code: EUR, scale: 6 }
    creditLimit: "10000000000"

# Made-up prices of one whole unit, in USD.
rates:
  provider: fixed
  base: USD
  prices:
    EUR: "1.08"
    XRP: "0.52"

spsp:
  listen: { host: 127.0.0.1, port: 7780 }

admin:
  host: 127.0.0.1
  port: 8080

logging:
  level: info
  format: text
`
}

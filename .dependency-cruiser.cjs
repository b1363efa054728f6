/** Who may import whom: docs/architecture.md, "Import rules". */
const only = (name, from, to) => ({ name, severity: 'error', from: { path: from }, to: { pathNot: to } })

module.exports = {
  forbidden: [
    {
      name: 'no-circular',
      severity: 'error',
      from: {},
      to: { circular: true, viaOnly: { dependencyTypesNot: ['type-only'] } },
    },
    only('lib-is-a-leaf', '^src/lib/', '^(src/lib/|node_modules/|node:|[a-z0-9_/]+$)'),
    only('ilp-is-pure', '^src/ilp/', '^(src/(ilp|lib)/|node:buffer|buffer$|node:assert|assert$)'),
    only(
      'core-imports',
      '^src/(routing|rates|ledger|forwarding)/',
      '^(src/(ilp|lib|routing|rates|ledger|forwarding)/|src/peers/link\\.ts|node_modules/|[a-z_/:]+$)',
    ),
    only(
      'plugins-import-the-contract',
      '^plugins/([^/]+)/',
      '^(plugins/$1/|src/(ilp|lib)/|src/peers/link\\.ts|node_modules/|[a-z_/:]+$)',
    ),
    only(
      'engines-import-the-contract',
      '^settlement-engines/([^/]+)/',
      '^(settlement-engines/$1/|src/lib/|src/settlement/(engine|quantity)\\.ts|node_modules/|[a-z0-9_/:]+$)',
    ),
    {
      name: 'engines-are-made-in-one-place',
      severity: 'error',
      from: { pathNot: '^(settlement-engines/|src/node/|src/cli/(evm|settle-demo)/)' },
      to: { path: '^settlement-engines/' },
    },
    {
      name: 'admin-and-cli-stay-outside',
      severity: 'error',
      from: { path: '^src/(admin|cli)/' },
      to: {
        path: '^src/(forwarding|ledger|routing|rates)/',
        pathNot: '^src/(ledger/ledger|rates/rate-provider)\\.ts',
      },
    },
    {
      name: 'nobody-imports-main',
      severity: 'error',
      from: { pathNot: '^src/cli/' },
      to: { path: '^src/(engine-)?main\\.ts' },
    },
    {
      name: 'nobody-imports-cli',
      severity: 'error',
      from: { pathNot: '^src/cli/' },
      to: { path: '^src/cli/' },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
  },
}

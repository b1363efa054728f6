import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { ChannelsChain } from './channels-chain.ts'
import { measureGas } from './measure-gas.ts'

const DOCUMENT = join(import.meta.dirname, '../../../docs/settlement-gas.md')
/** Signatures with more or fewer zero bytes cost a little less or more. */
const TOLERANCE_PERCENT = 1

let chain: ChannelsChain
beforeAll(async () => {
  chain = await ChannelsChain.start()
})
afterAll(async () => {
  await chain?.stop()
})

it('docs/settlement-gas.md tells what SettlementChannels costs', async () => {
  const rows = await measureGas(chain)
  const table = rows.map(
    ({ operation, native, token }) => `| ${operation} | ${cell(native)} | ${cell(token)} |`,
  )
  console.log(['| Operation | Native coin | ERC-20 |', '| --- | ---: | ---: |', ...table].join('\n'))
  const document = readFileSync(DOCUMENT, 'utf8')
  for (const { operation, native, token } of rows) {
    const line = document.split('\n').find((text) => text.startsWith(`| ${operation} |`))
    const [first, second] = (line ?? '').split('|').slice(2, 4)
    expect(close(first, native), `${operation}, native: ${native}, documented: ${first}`).toBe(true)
    expect(close(second, token), `${operation}, ERC-20: ${token}, documented: ${second}`).toBe(true)
  }
})

function cell(gas: bigint | undefined): string {
  return gas === undefined ? '-' : gas.toLocaleString('en')
}

function close(documented: string | undefined, measured: bigint | undefined): boolean {
  if (documented === undefined) return false
  if (measured === undefined) return documented.trim() === '-'
  const told = Number(documented.replaceAll(',', ''))
  return Math.abs(told - Number(measured)) * 100 <= Number(measured) * TOLERANCE_PERCENT
}

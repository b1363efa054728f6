import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { systemClock } from '../../../src/lib/clock.ts'
import { silentLogger } from '../../../src/lib/logger.ts'
import { LinkConfigError } from '../../../src/peers/link.ts'
import { loadPlugin, PluginLoadError } from '../../../src/peers/load-plugin.ts'

const deps = { clock: systemClock, logger: silentLogger, random: Math.random }
const METHODS = 'start () {}, stop () {}, openLink () {}, listening: () => [String(options.where)]'

let directory: string
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'causeway-load-'))
})
afterEach(() => rmSync(directory, { recursive: true }))

const load = (name: string, options = {}) => loadPlugin(name, options, deps, directory)

function write(path: string, text: string): void {
  const file = join(directory, path)
  mkdirSync(join(file, '..'), { recursive: true })
  writeFileSync(file, text)
}

describe('loadPlugin', () => {
  it.each(['ilp-http', 'legacy', 'local'])('loads the built-in plugin %s by its name', async (name) => {
    const plugin = await load(name)
    expect(plugin.listening()).toEqual([])
    await plugin.stop()
  })

  it('loads a path relative to the directory of the configuration, or absolute', async () => {
    write('mine/plugin.mjs', `export const createPlugin = (options) => ({ ${METHODS} })`)
    expect((await load('./mine/plugin.mjs', { where: 'here' })).listening()).toEqual(['here'])
    expect((await load(join(directory, 'mine/plugin.mjs'), { where: 'there' })).listening()).toEqual([
      'there',
    ])
  })

  it('loads CommonJS and ES packages installed beside the configuration', async () => {
    write('node_modules/link-cjs/package.json', '{ "name": "link-cjs", "main": "main.js" }')
    write('node_modules/link-cjs/main.js', `module.exports = { createPlugin: (options) => ({ ${METHODS} }) }`)
    const manifest = {
      name: '@some/link-esm',
      type: 'module',
      exports: { '.': { types: './x.d.ts', import: './main.js' } },
    }
    write('node_modules/@some/link-esm/package.json', JSON.stringify(manifest))
    write('node_modules/@some/link-esm/main.js', `export const createPlugin = (options) => ({ ${METHODS} })`)
    expect((await load('link-cjs', { where: 'cjs' })).listening()).toEqual(['cjs'])
    expect((await load('@some/link-esm', { where: 'esm' })).listening()).toEqual(['esm'])
  })

  it('tells a plugin where its relative paths start', async () => {
    write(
      'plugin.mjs',
      `export const createPlugin = (_, deps) => ({ ${METHODS.replace('options.where', 'deps.baseDirectory')} })`,
    )
    expect((await load('./plugin.mjs')).listening()).toEqual([directory])
  })

  it('says what is missing and how to get it', async () => {
    await expect(load('nobody-has-this')).rejects.toThrow(/npm install nobody-has-this/)
    await expect(load('./nowhere.mjs')).rejects.toThrow(/Check the path/)
  })

  it('names what is wrong with a module', async () => {
    write('empty.mjs', 'export const other = 1')
    await expect(load('./empty.mjs')).rejects.toThrow(/exports no function createPlugin.*other/)
    write('broken.mjs', 'export const = 1')
    await expect(load('./broken.mjs')).rejects.toThrow(/could not be loaded/)
    write('throws.mjs', 'throw new Error("no luck today")')
    await expect(load('./throws.mjs')).rejects.toThrow(/no luck today/)
    write('half.mjs', 'export const createPlugin = () => ({ start () {}, stop () {} })')
    await expect(load('./half.mjs')).rejects.toThrow(/lacks openLink\(\), listening\(\)/)
    write('promise.mjs', 'export const createPlugin = async () => ({})')
    await expect(load('./promise.mjs')).rejects.toThrow(/not a promise/)
    write('fails.mjs', 'export const createPlugin = () => { throw new TypeError("oops") }')
    await expect(load('./fails.mjs')).rejects.toThrow(PluginLoadError)
  })

  it('sends users of interledgerjs plugins to the adapter', async () => {
    write('old.cjs', 'module.exports = class { sendData () {} }; module.exports.version = 2')
    await expect(load('./old.cjs')).rejects.toThrow(/plugin: legacy, module: .\/old.cjs/)
  })

  it('passes on which option a plugin refuses, also when it brings its own error class', async () => {
    await expect(load('ilp-http', { tls: 3 })).rejects.toThrow(LinkConfigError)
    write(
      'picky.mjs',
      `export const createPlugin = () => { throw Object.assign(new Error('too blue'), { name: 'LinkConfigError', path: 'colour' }) }`,
    )
    const refused = await load('./picky.mjs').catch((error: unknown) => error)
    expect(refused).toBeInstanceOf(LinkConfigError)
    expect(refused).toMatchObject({ path: 'colour', message: 'too blue' })
  })

  it('does not wait for ever for a module that never finishes loading', { timeout: 20_000 }, async () => {
    write('hangs.mjs', 'setInterval(() => {}, 1e9).unref(); await new Promise(() => {})')
    await expect(load('./hangs.mjs')).rejects.toThrow(/did not finish loading/)
  })
})

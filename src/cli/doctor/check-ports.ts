import { createServer } from 'node:net'
import type { Config } from '../../config/schema.ts'
import { type Finding, failed, ok, warning } from './finding.ts'

interface Listener {
  name: string
  host: string
  port: number
}

/** Checks that the ports the node wants to listen on can be had. `isRunning`: the node itself has them now. */
export async function checkPorts(config: Config, isRunning: boolean): Promise<Finding[]> {
  const findings: Finding[] = []
  for (const listener of listenersOf(config)) findings.push(await checkPort(listener, isRunning))
  return findings
}

function listenersOf(config: Config): Listener[] {
  const { btp, 'ilp-http': ilpHttp } = config.plugins
  return [
    { name: 'admin', host: config.admin.host, port: config.admin.port },
    ...(btp.listen === undefined ? [] : [{ name: 'btp', ...btp.listen }]),
    ...(ilpHttp.listen === undefined ? [] : [{ name: 'ilp-http', ...ilpHttp.listen }]),
    ...(config.spsp.listen === undefined ? [] : [{ name: 'spsp', ...config.spsp.listen }]),
  ]
}

async function checkPort({ name, host, port }: Listener, isRunning: boolean): Promise<Finding> {
  const check = `port ${name}`
  const place = `${host}:${port}`
  const code = await tryBind(host, port)
  switch (code) {
    case undefined:
      return ok(check, `${place} is free`)
    case 'EADDRINUSE':
      if (isRunning) return ok(check, `${place} is in use; the node runs`)
      return failed(
        check,
        `${place} is in use by another program`,
        'Stop it, or choose another port in the configuration',
      )
    case 'EACCES':
      return failed(check, `this user may not listen on ${place}`, 'Choose a port from 1024 up')
    case 'EADDRNOTAVAIL':
    case 'ENOTFOUND':
      return failed(
        check,
        `this machine has no address ${host}`,
        'Use 127.0.0.1, or 0.0.0.0 for all addresses',
      )
    default:
      return warning(check, `${place} cannot be tried (${code})`, 'See whether the node starts')
  }
}

/** Resolves with the error code, undefined when it worked. Binding answers at once; there is nothing to wait for. */
async function tryBind(host: string, port: number): Promise<string | undefined> {
  return await new Promise((resolve) => {
    const server = createServer()
    server.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? 'unknown error'))
    server.listen({ host, port, exclusive: true }, () => server.close(() => resolve(undefined)))
  })
}

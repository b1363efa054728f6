import { parentPort, workerData } from 'node:worker_threads'
import type { FromWorker, LegacyWorkerData, ToWorker } from './legacy-messages.ts'
import { PluginHost } from './plugin-host.ts'

/** Entry of the thread in which one interledgerjs plugin lives. Whatever it throws ends this thread only. */
const port = parentPort!
const host = new PluginHost(workerData as LegacyWorkerData, (message: FromWorker, transfer?: ArrayBuffer[]) =>
  port.postMessage(message, transfer),
)
const fail = (error: unknown): void => {
  queueMicrotask(() => {
    throw error
  })
}
// Plugins of the days when an unhandled rejection was a warning live on with one.
process.on('unhandledRejection', (reason) => host.complain(reason))
port.on('message', (message: ToWorker) => {
  host.receive(message).catch(fail)
})
host.start().catch(fail)

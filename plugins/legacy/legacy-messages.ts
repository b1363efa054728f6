import type { SendFailure } from '../../src/peers/link.ts'

/** What the thread of a legacy plugin is told when it starts. */
export interface LegacyWorkerData {
  accountId: string
  /** file: URL of the module. */
  moduleUrl: string
  options: Record<string, unknown>
  storeFile: string | undefined
  timeoutMs: number
  maxOpenRequests: number
}

/** From the link to the thread. Packets are transferred, so each message owns its bytes. */
export type ToWorker =
  | { type: 'send'; token: number; packet: Uint8Array }
  | { type: 'reply'; id: number; packet: Uint8Array }
  | { type: 'sendMoney'; id: number; amount: string }
  | { type: 'ping' }
  | { type: 'stop' }

/** From the thread to the link. */
export type FromWorker =
  | { type: 'up' }
  | { type: 'down'; reason: string }
  | { type: 'prepare'; id: number; packet: Uint8Array }
  | { type: 'reply'; token: number; packet: Uint8Array }
  | { type: 'failed'; token: number; failure: SendFailure; message: string }
  | { type: 'money'; amount: string }
  | { type: 'moneySent'; id: number; error: string | undefined }
  | { type: 'protocolError'; message: string }
  | { type: 'log'; level: 'error' | 'warn' | 'info'; text: string }
  | { type: 'pong' }
  | { type: 'stopped' }

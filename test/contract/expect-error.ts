import { expect } from 'vitest'
import { API_ERRORS } from '../../src/admin/api-error.ts'

export interface Envelope {
  success: boolean
  data: unknown
  count?: number
  pagination?: Record<string, unknown>
  error?: { code: string; message: string; details?: { field: string; message: string }[] }
  statusCode?: number
  timestamp: string
  requestId?: string
}

/** The error envelope of the architecture: these keys, in this order, and no others. */
export async function expectError(reply: Response, code: keyof typeof API_ERRORS): Promise<Envelope> {
  const envelope = (await reply.json()) as Envelope
  const { status } = API_ERRORS[code]
  expect(reply.status).toBe(status)
  expect(Object.keys(envelope)).toEqual(['success', 'data', 'error', 'statusCode', 'timestamp', 'requestId'])
  expect([envelope.success, envelope.data, envelope.statusCode]).toEqual([false, null, status])
  expect(envelope.error?.code).toBe(code)
  expect(envelope.error?.message).not.toBe('')
  expect(envelope.requestId).toBe(reply.headers.get('x-request-id'))
  expect(reply.headers.get('x-ratelimit-limit')).not.toBeNull()
  return envelope
}

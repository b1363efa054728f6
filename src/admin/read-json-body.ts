import type { IncomingMessage } from 'node:http'
import { ApiError } from './api-error.ts'

/** Largest body; a peer with thousands of routes stays far below. */
const BODY_BYTES_MAX = 1_048_576
/** Deepest nesting of a body; ours have four levels, a plugin's options may have some more. */
const DEPTH_MAX = 32

/**
 * Reads a JSON body with bounds on size and depth.
 * @returns undefined when there is no body
 * @throws ApiError PAYLOAD_TOO_LARGE, UNSUPPORTED_MEDIA_TYPE or VALIDATION_ERROR
 */
export async function readJsonBody(request: IncomingMessage): Promise<unknown> {
  const declared = Number(request.headers['content-length'] ?? 0)
  if (declared > BODY_BYTES_MAX) throw tooLarge()
  const bytes = await readBytes(request)
  if (bytes.length === 0) return undefined
  checkMediaType(request)
  const text = decode(bytes)
  checkDepth(text)
  return parse(text)
}

/** By events and not by iteration: leaving an iteration early would destroy the socket before the reply is out. */
function readBytes(request: IncomingMessage): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = []
    let size = 0
    request.on('data', (chunk: Buffer) => {
      size += chunk.length
      if (size <= BODY_BYTES_MAX) {
        chunks.push(chunk)
        return
      }
      chunks.length = 0
      reject(tooLarge())
    })
    request.on('end', () => resolve(Buffer.concat(chunks, Math.min(size, BODY_BYTES_MAX))))
    request.on('error', () => reject(new ApiError('VALIDATION_ERROR', 'the body ended early')))
    request.on('close', () => reject(new ApiError('VALIDATION_ERROR', 'the body ended early')))
  })
}

function tooLarge(): ApiError {
  // The rest of the body is not read: the connection cannot be used again.
  const headers = { Connection: 'close' }
  return new ApiError('PAYLOAD_TOO_LARGE', `the body is above ${BODY_BYTES_MAX} bytes`, { headers })
}

function checkMediaType(request: IncomingMessage): void {
  const type = request.headers['content-type'] ?? ''
  const encoding = request.headers['content-encoding'] ?? 'identity'
  if (!/^application\/json\s*(;\s*charset="?utf-8"?\s*)?$/i.test(type)) {
    throw new ApiError('UNSUPPORTED_MEDIA_TYPE', 'send the body as "Content-Type: application/json" in UTF-8')
  }
  if (encoding.toLowerCase() !== 'identity') {
    throw new ApiError('UNSUPPORTED_MEDIA_TYPE', 'send the body without Content-Encoding')
  }
}

function decode(bytes: Buffer): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch {
    throw new ApiError('VALIDATION_ERROR', 'the body is not valid UTF-8')
  }
}

function checkDepth(text: string): void {
  let depth = 0
  let inString = false
  for (let index = 0; index < text.length; index++) {
    const char = text[index]
    if (inString) {
      if (char === '\\') index++
      else if (char === '"') inString = false
    } else if (char === '"') inString = true
    else if (char === '{' || char === '[') {
      if (++depth > DEPTH_MAX) {
        throw new ApiError('VALIDATION_ERROR', `the body is nested more than ${DEPTH_MAX} levels deep`)
      }
    } else if (char === '}' || char === ']') depth--
  }
}

function parse(text: string): unknown {
  let value: unknown
  try {
    value = JSON.parse(text, refusePrototypeKeys)
  } catch (error) {
    if (error instanceof ApiError) throw error
    throw new ApiError('VALIDATION_ERROR', 'the body is not valid JSON')
  }
  return value
}

function refusePrototypeKeys(key: string, value: unknown): unknown {
  if (key === '__proto__')
    throw new ApiError('VALIDATION_ERROR', 'a key of the body is not allowed: "__proto__"')
  return value
}

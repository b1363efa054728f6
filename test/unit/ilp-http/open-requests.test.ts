import { describe, expect, it } from 'vitest'
import { OpenRequests } from '../../../plugins/ilp-http/open-requests.ts'

const request = (forgetAtMs = Infinity) => ({
  response: undefined,
  contentType: 'application/octet-stream',
  callbackUrl: undefined,
  requestId: undefined,
  forgetAtMs,
})

describe('open requests', () => {
  it('gives each request back once, by its handle', () => {
    const open = new OpenRequests(10)
    const [a, b] = [request(), request()]
    const [handleA, handleB] = [open.add(a), open.add(b)]
    expect(open.take(handleB)).toBe(b)
    expect(open.take(handleB)).toBeUndefined()
    expect(open.take(handleA)).toBe(a)
    expect(open.size).toBe(0)
  })

  it('never gives a later request for the handle of an earlier one, within a link and between links', () => {
    const [first, second] = [new OpenRequests(10), new OpenRequests(10)]
    const seen = new Set<number>()
    for (let round = 0; round < 1_000; round += 1) {
      const open = round % 2 === 0 ? first : second
      const handle = open.add(request())
      expect(Number.isSafeInteger(handle)).toBe(true)
      expect(seen.has(handle)).toBe(false)
      seen.add(handle)
      open.take(handle)
      expect(open.take(handle)).toBeUndefined()
    }
  })

  it('knows nothing of handles that it never gave', () => {
    const open = new OpenRequests(10)
    open.add(request())
    for (const handle of [-1, 0, 0.5, 1e15, Number.NaN]) expect(open.take(handle)).toBeUndefined()
    expect(open.size).toBe(1)
  })

  it('is full at its bound, and hands out what is overdue', () => {
    const open = new OpenRequests(2)
    open.add(request(100))
    const kept = open.add(request(200))
    expect(open.full).toBe(true)
    expect(open.takeOverdue(150)).toHaveLength(1)
    expect(open.full).toBe(false)
    expect(open.take(kept)).toBeDefined()
    expect(open.takeAll()).toEqual([])
  })
})

import assert from 'node:assert/strict'
import { describe, expect, it } from 'vitest'
import { OPEN_REQUESTS_MAX, OpenRequests } from '../../../plugins/btp/open-requests.ts'
import { pick, randomInt, seededRandom, testSeed } from './random.ts'

describe('OpenRequests', () => {
  it(`behaves like a Map through random adding, deleting and forgetting (seed ${testSeed})`, () => {
    const random = seededRandom(testSeed)
    for (const idMax of [50, 3_000, 0xffff_ffff]) {
      const requests = new OpenRequests()
      const model = new Map<number, number>()
      for (let step = 0; step < 20_000; step++) {
        const id = Math.floor(random() * (idMax + 1))
        switch (pick(random, ['add', 'add', 'delete', 'deleteKnown'])) {
          case 'add': {
            const forgetAt = randomInt(random, 1, 1_000)
            assert.equal(requests.add(id, forgetAt), !model.has(id))
            if (!model.has(id)) model.set(id, forgetAt)
            break
          }
          case 'delete':
            assert.equal(requests.delete(id), model.delete(id))
            break
          default: {
            const known = model.keys().next()
            if (known.done !== true) assert.equal(requests.delete(known.value), model.delete(known.value))
          }
        }
        if (random() < 0.001) {
          const now = randomInt(random, 0, 1_000)
          requests.forgetUntil(now)
          for (const [key, forgetAt] of model) if (forgetAt <= now) model.delete(key)
        }
        assert.equal(requests.size, model.size)
      }
      expect([...model.keys()].every((key) => requests.has(key))).toBe(true)
      const later = [...model].filter(([, forgetAt]) => forgetAt > 500).map(([key]) => key)
      expect(requests.drainAfter(500).sort((a, b) => a - b)).toEqual(later.sort((a, b) => a - b))
      expect(requests.size).toBe(0)
    }
  })

  it('takes no more than its bound, and forgets to make room', () => {
    const requests = new OpenRequests()
    for (let id = 0; id < OPEN_REQUESTS_MAX; id++)
      expect(requests.add(id * 65_537, id < 100 ? 10 : 20)).toBe(true)
    expect(requests.add(1, 20)).toBe(false)
    expect(requests.size).toBe(OPEN_REQUESTS_MAX)
    requests.forgetUntil(10)
    expect(requests.size).toBe(OPEN_REQUESTS_MAX - 100)
    expect(requests.add(1, 20)).toBe(true)
  })
})

import { describe, expect, it } from 'vitest'
import { Turns } from '../../../src/settlement/turns.ts'

describe('turns', () => {
  it('are given in the order of the calls, one for each round of the event loop', async () => {
    const turns = new Turns()
    const seen: string[] = []
    let rounds = 0
    let counting = true
    const count = () => {
      rounds++
      if (counting) setImmediate(count)
    }
    setImmediate(count)
    const take = async (name: string) => {
      await turns.take()
      seen.push(`${name} ${rounds}`)
    }
    await Promise.all([take('a'), take('b'), take('c')])
    counting = false
    const [first = 0, ...later] = seen.map((entry) => Number(entry.slice(2)))
    expect(seen.map((entry) => entry[0])).toEqual(['a', 'b', 'c'])
    expect(later).toEqual([first + 1, first + 2])
    await take('d')
    expect(seen).toHaveLength(4)
  })
})

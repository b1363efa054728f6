import { describe, expect, it } from 'vitest'
import { parseOptions } from '../../../bench/options.ts'

const NAMES = ['hop', 'start']

describe('parseOptions', () => {
  it('runs every case in three rounds when nothing is said', () => {
    expect(parseOptions([], NAMES)).toEqual({
      only: ['hop', 'start'],
      contestants: undefined,
      rounds: 3,
      seconds: 4,
      out: 'bench/results/latest.json',
      plots: undefined,
    })
  })

  it('takes what is said over what --quick means', () => {
    const args = ['--quick', '--only', 'start', '--rounds', '2', '--out', 'x.json', '--contestants', 'a,b']
    args.push('--plots', 'docs/performance')
    expect(parseOptions(args, NAMES)).toEqual({
      only: ['start'],
      contestants: ['a', 'b'],
      rounds: 2,
      seconds: 1,
      out: 'x.json',
      plots: 'docs/performance',
    })
  })

  it.each([
    [['--only', 'hop,nothing'], /no case "nothing".*hop,start/],
    [['--rounds', '1.5'], /--rounds takes a whole number/],
    [['--rounds', '0'], /--rounds/],
    [['--seconds', 'x'], /--seconds takes a number/],
    [['--fast'], /--fast/],
  ])('refuses %j', (args, message) => {
    expect(() => parseOptions(args, NAMES)).toThrow(message)
  })
})

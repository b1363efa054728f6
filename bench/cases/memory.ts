import { residentBytes } from '../load/cpu-usage.ts'
import type { WindowResult } from '../load/load.ts'
import { LoadHandle } from '../load/load-handle.ts'
import { slope } from '../report/slope.ts'
import { causeway } from '../subjects/causeway.ts'
import type { CaseOptions, CaseResult } from './case.ts'
import { closedWindow } from './windows.ts'

const PACKETS = 10_000_000
/** Both for windows of so many seconds or more; short runs take that much less. */
const FULL_SECONDS = 4
/** On a slow machine as many packets as fit. */
const TIME_MAX_MS = 180_000
/** Before that, buffers and the heap grow to their size. Packets. */
const WARM_UP_PACKETS = 2_000_000
const WINDOW_SECONDS = 5
const SAMPLE_MS = 1_000
const AMOUNT = 1_000_000
const BYTES_PER_MB = 1_000_000

/** Resident memory of the connector over ten million packets. */
export async function memoryCase({ seconds, say }: CaseOptions): Promise<CaseResult> {
  const share = Math.min(1, seconds / FULL_SECONDS)
  const title = 'Memory over ten million packets'
  const subject = causeway({ key: 'memory', title })
  const running = await subject.start({ pairs: 1 })
  const load = new LoadHandle()
  const samples: { packets: number; bytes: number }[] = []
  const results: WindowResult[] = []
  let packets = 0
  try {
    await load.connect(running.ends, AMOUNT)
    const { window } = closedWindow(512, WINDOW_SECONDS, { warmUpMs: 0 })
    const deadline = performance.now() + TIME_MAX_MS * share
    while (packets < PACKETS * share + WARM_UP_PACKETS && performance.now() < deadline) {
      const before = packets
      const startedAt = performance.now()
      // The load tells how many packets there were at the end of a window; those in between came at an even pace.
      const seen: { at: number; bytes: number }[] = []
      const timer = setInterval(() => {
        seen.push({ at: performance.now(), bytes: residentBytes(running.pids) })
      }, SAMPLE_MS)
      const result = await load.run({ ...window, pids: running.pids }).finally(() => clearInterval(timer))
      results.push(result)
      packets = result.everFulfilledByPayer[0]!
      const took = performance.now() - startedAt
      for (const { at, bytes } of seen) {
        samples.push({ packets: before + ((packets - before) * (at - startedAt)) / took, bytes })
      }
      say(`${(packets / 1e6).toFixed(1)} million packets, ${Math.round(result.connectorRssBytes / 1e6)} MB`)
    }
    await load.disconnect()
  } finally {
    await load.stop()
    await running.stop()
  }
  return {
    name: 'memory',
    title,
    note: `One pair, 512 packets in flight. Resident memory of the connector, read every second; the first ${WARM_UP_PACKETS.toLocaleString('en')} packets, in which buffers grow to their size, are not in the slope.`,
    series: [{ key: 'memory', title, windows: [{ name: 'closed-512', results }] }],
    facts: memoryFacts(samples, packets),
    samples: {
      xLabel: 'million packets',
      yLabel: 'resident memory, MB',
      points: samples.map((sample) => ({ x: sample.packets / 1e6, y: sample.bytes / BYTES_PER_MB })),
    },
  }
}

function memoryFacts(
  samples: readonly { packets: number; bytes: number }[],
  packets: number,
): Record<string, number | string> {
  const warm = samples.filter((sample) => sample.packets >= WARM_UP_PACKETS)
  const line = slope(warm.map(({ packets: at, bytes }) => ({ x: at / 1e6, y: bytes })))
  const whole = (value: number) => (Number.isNaN(value) ? 'not measured' : Math.round(value))
  return {
    packets: Math.round(packets),
    samples: warm.length,
    slopeBytesPerMillionPackets: whole(line.slope),
    slopeStandardErrorBytesPerMillionPackets: whole(line.standardError),
    rssAtFirstSampleBytes: whole(warm[0]?.bytes ?? Number.NaN),
    rssAtLastSampleBytes: whole(warm.at(-1)?.bytes ?? Number.NaN),
  }
}

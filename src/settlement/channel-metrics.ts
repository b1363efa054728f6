import type {
  ChannelCloseReason,
  ChannelStatus,
  SettlementMetrics,
} from '../observability/settlement-metrics.ts'
import type { ChannelState, ChannelView } from './engine.ts'

/** Channels of one engine that are remembered between two looks; above it, changes of the others go uncounted. */
const CHANNELS_MAX = 100_000
const STATUS_OF: Readonly<Record<ChannelState, ChannelStatus | undefined>> = {
  opening: undefined,
  open: 'open',
  closing: 'closing',
  disputed: 'disputed',
  closed: undefined,
}

/** Turns what an engine shows of its channels into metrics: counts by state, and events where two looks differ. */
export class ChannelMetrics {
  readonly #metrics: SettlementMetrics
  readonly #seen = new Map<string, Map<string, ChannelView>>()

  constructor(metrics: SettlementMetrics) {
    this.#metrics = metrics
  }

  update(method: string, channels: readonly ChannelView[]): void {
    const counts: Record<ChannelStatus, number> = { open: 0, closing: 0, disputed: 0 }
    const before = this.#seen.get(method)
    const now = new Map<string, ChannelView>()
    for (const channel of channels) {
      const status = STATUS_OF[channel.state]
      if (status !== undefined) counts[status]++
      if (now.size < CHANNELS_MAX) now.set(channel.id, channel)
      // The first look after a start shows what was there: no events.
      if (before !== undefined) this.#tellChange(method, before.get(channel.id), channel)
    }
    for (const status of ['open', 'closing', 'disputed'] as const) {
      this.#metrics.channels(method, status, counts[status])
    }
    this.#seen.set(method, now)
  }

  #tellChange(method: string, before: ChannelView | undefined, after: ChannelView): void {
    if (after.deposit > (before?.deposit ?? 0n)) this.#metrics.channelFunded(method)
    if (before === undefined || before.state === after.state) return
    if (after.state === 'disputed') this.#metrics.channelDisputed(method)
    if (after.state === 'closed') this.#metrics.channelClosed(method, closeReason(before))
  }
}

/** A channel that closed without a wait was closed by its payee or by both. */
function closeReason(before: ChannelView): ChannelCloseReason {
  if (before.state === 'disputed') return 'disputed'
  return before.state === 'closing' && before.expiresAtMs !== undefined ? 'expired' : 'cooperative'
}

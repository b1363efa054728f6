import { setImmediate as immediate } from 'node:timers/promises'

/** Channels looked at in one go: some milliseconds. */
const CHANNELS_PER_TURN = 64

/** In loops over all channels: the process has packets to carry in between, however many channels there are. */
export async function letOthersRun(index: number): Promise<void> {
  if ((index + 1) % CHANNELS_PER_TURN === 0) await immediate()
}

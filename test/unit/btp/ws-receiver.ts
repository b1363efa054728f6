import type { EventEmitter } from 'node:events'
import { setImmediate as nextTurn } from 'node:timers/promises'
import * as ws from 'ws'

export const WS_MESSAGE_LENGTH_MAX = 70_000

/** Exported by the package, missing in its types. */
const { Receiver } = ws as unknown as {
  Receiver: new (options: object) => EventEmitter & { write(chunk: Buffer): void }
}

/** What the receiver of the `ws` package hears in these chunks, one line each; `masked`: as a server. */
export async function wsHears(chunks: Buffer[], masked: boolean): Promise<string[]> {
  const heard: string[] = []
  const receiver = new Receiver({
    isServer: masked,
    maxPayload: WS_MESSAGE_LENGTH_MAX,
    allowSynchronousEvents: true,
    binaryType: 'nodebuffer',
  })
  receiver.on('message', (data: Buffer, isBinary: boolean) =>
    heard.push(`${isBinary ? 'binary' : 'text'} ${data.toString('hex')}`),
  )
  receiver.on('ping', (data: Buffer) => heard.push(`ping ${data.toString('hex')}`))
  receiver.on('conclude', (code: number) => heard.push(`close ${code}`))
  receiver.on('error', (error: Error) => {
    // Without a code it is the stream's complaint about bytes after its end, not a verdict.
    const symbol = Object.getOwnPropertySymbols(error).find((each) => each.description === 'status-code')
    if (symbol) heard.push(`violation ${(error as unknown as Record<symbol, number>)[symbol]}`)
  })
  for (const chunk of chunks) receiver.write(Buffer.from(chunk))
  // Errors of a stream come a turn later.
  await nextTurn()
  return heard
}

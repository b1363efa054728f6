import { collectGarbageWhenGrown } from '../../src/lib/garbage-collection.ts'
import { BtpWire } from './btp-wire.ts'
import { HttpWire } from './http-wire.ts'
import type { LoadReply, LoadRequest, WindowResult, WireEvents } from './load.ts'
import { Traffic } from './traffic.ts'

/** The load as a process of its own: does what the bench asks over the IPC channel, one thing at a time. */
let traffic: Traffic | undefined

collectGarbageWhenGrown()

async function perform(request: LoadRequest): Promise<WindowResult | undefined> {
  switch (request.op) {
    case 'connect': {
      const { ends, amount, deliveredAmount } = request
      const addresses = ends.payees.map((payee) => payee.address)
      const WireOf = ends.protocol === 'btp' ? BtpWire : HttpWire
      const createWire = (events: WireEvents) => new WireOf(ends, events)
      traffic = new Traffic(
        { addresses, addressDigits: ends.payees[0]?.addressDigits, amount, deliveredAmount },
        createWire,
      )
      return void (await traffic.connect())
    }
    case 'run': {
      if (traffic === undefined) throw new Error('the load is not connected')
      const result = await traffic.run(request.window)
      if (traffic.firstFault !== '') console.error(`load: a payee got a wrong packet: ${traffic.firstFault}`)
      return result
    }
    case 'disconnect':
      await traffic?.close()
      traffic = undefined
      return undefined
  }
}

async function answer(request: LoadRequest): Promise<LoadReply> {
  const { id } = request
  try {
    const result = await perform(request)
    return result === undefined ? { id, outcome: 'done' } : { id, outcome: 'done', result }
  } catch (error) {
    return { id, outcome: 'failed', message: error instanceof Error ? error.message : String(error) }
  }
}

process.on('message', (request: LoadRequest) => void answer(request).then((reply) => process.send!(reply)))
// Without the bench there is nobody to load for.
process.on('disconnect', () => process.exit())

import type { PaymentRequest, PaymentView } from '../admin/services.ts'
import type { Clock } from '../lib/clock.ts'
import type { Asset } from '../rates/rate-provider.ts'
import { PaymentSender, type PaymentSenderOptions } from './payment-sender.ts'

/** Where a payment goes, once that is known. */
export interface PaymentTarget {
  destinationAccount: string
  sharedSecret: Buffer
  /** What people should know about the way to the target, e.g. a redirect. */
  note: string | undefined
}

/** One payment from its request to its end, as operators see it. */
export class Payment {
  readonly id: string
  readonly #request: PaymentRequest
  readonly #clock: Clock
  readonly #startedAtMs: number
  #endedAtMs: number | undefined
  #state: PaymentView['state'] = 'running'
  #message: string | undefined
  #cancelled: string | undefined
  #sender: PaymentSender | undefined
  /** Figures of the sender after the end; the sender itself is let go. */
  #last: { sent: bigint; delivered: bigint; destinationAsset: Asset | undefined } | undefined

  constructor(id: string, request: PaymentRequest, deps: { clock: Clock }) {
    this.id = id
    this.#request = request
    this.#clock = deps.clock
    this.#startedAtMs = deps.clock.now()
  }

  get isRunning(): boolean {
    return this.#state === 'running'
  }

  /** Breaks it off; what is under way is still waited for. */
  cancel(reason: string): void {
    this.#cancelled ??= reason
    this.#sender?.cancel(reason)
  }

  /** Finds the target, then pays. Never rejects. */
  async run(
    findTarget: () => Promise<PaymentTarget>,
    senderOptions: (target: PaymentTarget) => PaymentSenderOptions,
  ): Promise<void> {
    try {
      const target = await findTarget()
      this.#message = target.note
      if (this.#cancelled !== undefined) throw new Error(`nothing was sent: ${this.#cancelled}`)
      const sender = new PaymentSender(senderOptions(target), { clock: this.#clock })
      this.#sender = sender
      const outcome = await sender.run()
      this.#end(outcome.completed ? 'completed' : 'failed', outcome.message ?? target.note)
    } catch (error) {
      this.#end('failed', (error as Error).message)
    }
  }

  view(): PaymentView {
    const { sent = 0n, delivered = 0n, destinationAsset } = this.#last ?? this.#sender ?? {}
    return {
      id: this.id,
      fromAccount: this.#request.fromAccount,
      destination: this.#request.destination,
      amount: this.#request.amount,
      sent: sent.toString(),
      delivered: delivered.toString(),
      state: this.#state,
      message: this.#message,
      startedAtMs: this.#startedAtMs,
      endedAtMs: this.#endedAtMs,
      destinationAssetCode: destinationAsset?.code,
      destinationAssetScale: destinationAsset?.scale,
    }
  }

  #end(state: 'completed' | 'failed', message: string | undefined): void {
    this.#state = state
    this.#message = message
    this.#endedAtMs = this.#clock.now()
    if (this.#sender === undefined) return
    const { sent, delivered, destinationAsset } = this.#sender
    this.#last = { sent, delivered, destinationAsset }
    this.#sender = undefined
  }
}

import type { LocalAccountView, PaymentView } from '../admin/services.ts'
import { formatMoney } from './format-amount.ts'
import type { Output } from './output.ts'

const BAR_WIDTH = 30
/** Shortest time between two lines where the output is not a terminal. */
const LINE_INTERVAL_MS = 1_000

/** Shows how far a payment is: a bar drawn over itself on a terminal, lines elsewhere, nothing with `--json`. */
export class PaymentProgress {
  readonly #output: Output
  readonly #account: LocalAccountView
  readonly #now: () => number
  #shown = ''
  #shownAtMs = Number.NEGATIVE_INFINITY

  constructor(output: Output, account: LocalAccountView, now: () => number) {
    this.#output = output
    this.#account = account
    this.#now = now
  }

  show(payment: PaymentView): void {
    if (this.#output.json) return
    const text = this.#describe(payment)
    if (text === this.#shown) return
    if (this.#output.canRedraw) this.#output.redraw(text)
    else if (this.#now() - this.#shownAtMs < LINE_INTERVAL_MS && payment.state === 'running') return
    else this.#output.note(text)
    this.#shown = text
    this.#shownAtMs = this.#now()
  }

  /** Leaves the bar where it is. */
  end(): void {
    if (this.#output.canRedraw && this.#shown !== '') this.#output.note('\n')
  }

  #describe(payment: PaymentView): string {
    const { assetScale, assetCode } = this.#account
    const share = shareOf(payment.sent, payment.amount)
    const sent = `${formatMoney(payment.sent, assetScale, assetCode)} of ${formatMoney(payment.amount, assetScale, assetCode)}`
    const percent = `${Math.floor(share * 100)}%`.padStart(4)
    if (!this.#output.canRedraw) return `${percent.trim()} sent: ${sent}`
    const filled = Math.floor(share * BAR_WIDTH)
    return `[${'#'.repeat(filled)}${'.'.repeat(BAR_WIDTH - filled)}] ${percent}  ${sent}`
  }
}

/** From 0 to 1, for people: exact amounts stay strings. */
function shareOf(sent: string, amount: string): number {
  const whole = BigInt(amount)
  if (whole <= 0n) return 1
  const thousandths = (BigInt(sent) * 1000n) / whole
  return Math.min(1, Number(thousandths) / 1000)
}

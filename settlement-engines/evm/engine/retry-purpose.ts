import type { TxSender } from '../tx-sender.ts'

/**
 * The name of the next try of something that must be done, however often it fails: each try is a purpose of its own.
 * @returns undefined while a try is under way, and when one succeeded
 */
export function retryPurpose(sender: TxSender, name: string): string | undefined {
  const last = triesOf(sender, name).at(-1)
  if (last === undefined) return name
  const view = sender.purpose(last.purpose)
  if (view?.state !== 'done' || view.outcome === 'succeeded') return undefined
  return `${name}:${last.tries + 1}`
}

/** Whether a try is final and did what it was for. */
export function hasSucceeded(sender: TxSender, name: string): boolean {
  return triesOf(sender, name).some(({ purpose }) => sender.purpose(purpose)?.outcome === 'succeeded')
}

/** Takes back what is under way. */
export function cancelTries(sender: TxSender, name: string): void {
  const last = triesOf(sender, name).at(-1)
  if (last !== undefined) sender.cancel(last.purpose)
}

function triesOf(sender: TxSender, name: string): { purpose: string; tries: number }[] {
  const found: { purpose: string; tries: number }[] = []
  for (let tries = 0; ; tries++) {
    const purpose = tries === 0 ? name : `${name}:${tries}`
    if (sender.purpose(purpose) === undefined) return found
    found.push({ purpose, tries })
  }
}

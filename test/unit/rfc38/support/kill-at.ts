import process from 'node:process'

/**
 * Makes a journal kill its process with SIGKILL before or after the count-th call of a method, as `<method>:<before or
 * after>:<count>` says; an empty text arms nothing.
 */
export function killAt(journal: object, spec: string): void {
  const [method = '', when = '', count = '1'] = spec.split(':')
  if (method === '') return
  const target = journal as Record<string, (...values: unknown[]) => unknown>
  const original = target[method]
  if (typeof original !== 'function') throw new Error(`the journal has no method ${method}`)
  let left = Number(count)
  target[method] = (...values) => {
    const last = --left === 0
    if (last && when === 'before') die()
    const result = original.apply(journal, values)
    if (last && when === 'after') die()
    return result
  }
}

export function die(): never {
  process.kill(process.pid, 'SIGKILL')
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0)
  throw new Error('dead')
}

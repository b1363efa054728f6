/**
 * The result of `work`, or the error that `late` makes when it takes longer than `deadlineMs`. The work itself goes
 * on: its outcome is unknown to the caller, and a later failure of it is never unhandled.
 */
export async function within<T>(work: Promise<T> | T, deadlineMs: number, late: () => Error): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const deadline = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(late()), deadlineMs)
  })
  try {
    return await Promise.race([work, deadline])
  } finally {
    clearTimeout(timer)
  }
}

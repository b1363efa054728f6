import type { CausewaySubject } from './causeway.ts'

/** A subject whose metrics are read as a monitoring system would, every `intervalMs`, while it runs. */
export function scraped(subject: CausewaySubject, intervalMs: number): CausewaySubject {
  return {
    ...subject,
    start: async (setup) => {
      const running = await subject.start(setup)
      const url = `http://127.0.0.1:${running.node.adminPort}/metrics`
      let scraping = Promise.resolve()
      const timer = setInterval(() => {
        scraping = scraping.then(() => scrape(url))
      }, intervalMs)
      const stop = async () => {
        clearInterval(timer)
        await scraping
        await running.stop()
      }
      return { ...running, stop }
    },
  }
}

async function scrape(url: string): Promise<void> {
  const response = await fetch(url)
  if (!response.ok) throw new Error(`metrics were answered with ${response.status}`)
  for await (const chunk of response.body!) if (chunk.length === 0) break
}

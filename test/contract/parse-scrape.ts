export interface ScrapedFamily {
  type: string
  help: string
  samples: { series: string; labels: Record<string, string>; value: number }[]
}

/** Reads the text format of Prometheus strictly: a line that does not fit is an error. */
export function parseScrape(text: string): Map<string, ScrapedFamily> {
  const families = new Map<string, ScrapedFamily>()
  let current: { name: string; family: ScrapedFamily } | undefined
  for (const line of text.split('\n')) {
    if (line === '') continue
    const help = /^# HELP (\S+) (.*)$/.exec(line)
    const type = /^# TYPE (\S+) (counter|gauge|histogram)$/.exec(line)
    if (help !== null) {
      const name = help[1] as string
      if (families.has(name)) throw new Error(`family twice: ${name}`)
      current = { name, family: { type: '', help: help[2] as string, samples: [] } }
      families.set(name, current.family)
    } else if (type !== null && current !== undefined && current.name === type[1])
      current.family.type = type[2] as string
    else if (current !== undefined) current.family.samples.push(sample(line, current.name))
    else throw new Error(`line outside of a family: ${line}`)
  }
  return families
}

function sample(line: string, family: string): ScrapedFamily['samples'][number] {
  const match = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)$/.exec(line)
  const series = match?.[1]
  if (match === null || !series?.startsWith(family)) throw new Error(`line does not fit ${family}: ${line}`)
  const value = Number(match[3]?.replace('+Inf', 'Infinity').replace('Nan', 'NaN'))
  const pairs = [...(match[2] ?? '').matchAll(/([a-zA-Z_]\w*)="((?:[^"\\]|\\.)*)"/g)]
  return { series, labels: Object.fromEntries(pairs.map((pair) => [pair[1], pair[2]])), value }
}

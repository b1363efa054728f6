/** Facts of the operator API's description, as the fixture holds them. */
export interface OperatorApiFacts {
  /** JSON bodies by endpoint and title, e.g. `GET /health` / `Success (200 OK)`. */
  examples: { endpoint: string; title: string; httpStatus: number; body: Record<string, unknown> }[]
  /** The error body of the section on errors. */
  errorBody: Record<string, unknown>
  contentTypes: Record<string, string>
  /** Families of the example scrape. */
  scrape: { name: string; type: string; help: string; labelSets: string[][]; buckets?: string[] }[]
  /** Rows of the tables of metrics. */
  table: { name: string; type: string; labels: string[] }[]
  /** Values of `status` per interface of the response schemas. */
  statusWords: Record<string, string[]>
}

/** Reads the facts out of the description's Markdown. */
export function extractOperatorApi(markdown: string): OperatorApiFacts {
  return {
    examples: examples(markdown),
    errorBody: JSON.parse(
      /### Error Response Format\s+```json\n([\s\S]*?)```/.exec(markdown)?.[1] ?? '',
    ) as Record<string, unknown>,
    contentTypes: Object.fromEntries(
      [...markdown.matchAll(/^\| `(\/[a-z/]+)`\s+\| `([^`]+\/[^`]+)`\s+\|$/gm)].map((row) => [
        row[1],
        row[2],
      ]),
    ) as Record<string, string>,
    scrape: scrape(markdown),
    table: [
      ...markdown.matchAll(/^\| `([a-z_]+)`\s+\| (Counter|Gauge|Histogram)\s+\| ([^|]+?)\s+\|(.*)$/gm),
    ].map((row) => ({ name: row[1] as string, type: (row[2] as string).toLowerCase(), labels: labels(row) })),
    statusWords: Object.fromEntries(
      [...markdown.matchAll(/interface (\w+)[^{]*\{\s+status: ([^;]+);/g)].map((match) => [
        match[1],
        [...(match[2] as string).matchAll(/'(\w+)'/g)].map((word) => word[1]),
      ]),
    ) as Record<string, string[]>,
  }
}

function examples(markdown: string): OperatorApiFacts['examples'] {
  const found: OperatorApiFacts['examples'] = []
  for (const section of markdown.split(/^### (?=GET )/m).slice(1)) {
    const endpoint = (section.split('\n')[0] as string).trim()
    for (const match of section.matchAll(/^\*\*([^*]+)\*\*[^\n]*\n+```json\n([\s\S]*?)```/gm)) {
      const title = match[1] as string
      const httpStatus = Number(/\((\d{3}) /.exec(title)?.[1])
      found.push({
        endpoint,
        title,
        httpStatus,
        body: JSON.parse(match[2] as string) as Record<string, unknown>,
      })
    }
  }
  return found
}

function scrape(markdown: string): OperatorApiFacts['scrape'] {
  const block = /```\n(# HELP ilp_packets_processed_total[\s\S]*?)```/.exec(markdown)?.[1] ?? ''
  return block
    .split(/^# HELP /m)
    .slice(1)
    .map((family) => {
      const [head, type, ...lines] = family.trim().split('\n') as [string, string, ...string[]]
      const name = head.split(' ')[0] as string
      const samples = lines.filter((line) => line.startsWith(name))
      const buckets = [...new Set(samples.flatMap((line) => /le="([^"]+)"/.exec(line)?.[1] ?? []))]
      const sets = samples.map((line) => labelNames(line).filter((label) => label !== 'le'))
      const labelSets = [...new Map(sets.map((set) => [set.join(), set])).values()]
      return {
        name,
        type: type.split(' ').at(-1) as string,
        help: head.slice(name.length + 1),
        labelSets,
        ...(buckets.length === 0 ? {} : { buckets }),
      }
    })
}

function labelNames(line: string): string[] {
  return [...line.matchAll(/([a-z_]+)="/g)].map((match) => match[1] as string)
}

/** Tables of process metrics have no column of labels. */
function labels(row: RegExpExecArray): string[] {
  const hasLabels = (row[4] as string).trim() !== ''
  return hasLabels && row[3] !== '-' ? (row[3] as string).split(',').map((label) => label.trim()) : []
}

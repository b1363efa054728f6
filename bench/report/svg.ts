/** Room around the drawing of a plot, pixels. */
export interface Margins {
  top: number
  right: number
  bottom: number
  left: number
}

/** Readable on white and on black: the page decides, where the file is shown by itself or in one. */
const STYLE = `
  text { font: 12px system-ui, sans-serif; fill: #1f2328; }
  .title { font-weight: 600; font-size: 15px; }
  .muted { fill: #59636e; }
  .grid { stroke: #d1d9e0; stroke-width: 1; }
  .bar0, .dot0 { fill: #0969da; } .bar1, .dot1 { fill: #bf5b04; } .bar2, .dot2 { fill: #1a7f37; } .bar3, .dot3 { fill: #8250df; }
  .line0 { stroke: #0969da; } .line1 { stroke: #bf5b04; } .line2 { stroke: #1a7f37; } .line3 { stroke: #8250df; }
  .line { fill: none; stroke-width: 2; }
  .fit { fill: none; stroke: #bf5b04; stroke-width: 1.5; stroke-dasharray: 6 4; }
  .spread { stroke: #59636e; stroke-width: 1.5; }
  @media (prefers-color-scheme: dark) {
    text { fill: #f0f6fc; } .muted { fill: #9198a1; } .grid { stroke: #3d444d; } .spread { stroke: #9198a1; }
    .bar0, .dot0 { fill: #4493f8; } .bar1, .dot1 { fill: #db7d25; } .bar2, .dot2 { fill: #3fb950; } .bar3, .dot3 { fill: #ab7df8; }
    .line0 { stroke: #4493f8; } .line1, .fit { stroke: #db7d25; } .line2 { stroke: #3fb950; } .line3 { stroke: #ab7df8; }
  }
`
/** Colours in the style; further series begin anew. */
export const COLOURS = 4

/** A whole SVG file with a title, which readers of the page's text get as well. */
export function svg(options: {
  width: number
  height: number
  title: string
  body: readonly string[]
}): string {
  const { width, height, title, body } = options
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img">`,
    `<title>${escapeXml(title)}</title>`,
    `<style>${STYLE}</style>`,
    text(12, 22, title, 'title'),
    ...body,
    '</svg>',
    '',
  ].join('\n')
}

export function text(
  x: number,
  y: number,
  content: string,
  className = '',
  anchor: 'start' | 'middle' | 'end' = 'start',
): string {
  return `<text x="${round(x)}" y="${round(y)}" class="${className}" text-anchor="${anchor}">${escapeXml(content)}</text>`
}

export function line(x1: number, y1: number, x2: number, y2: number, className: string): string {
  return `<line x1="${round(x1)}" y1="${round(y1)}" x2="${round(x2)}" y2="${round(y2)}" class="${className}"/>`
}

export function rectangle(x: number, y: number, width: number, height: number, className: string): string {
  return `<rect x="${round(x)}" y="${round(y)}" width="${round(Math.max(0, width))}" height="${round(height)}" class="${className}"/>`
}

export function dot(x: number, y: number, radius: number, className: string): string {
  return `<circle cx="${round(x)}" cy="${round(y)}" r="${radius}" class="${className}"/>`
}

export function polyline(points: readonly { x: number; y: number }[], className: string): string {
  return `<polyline points="${points.map(({ x, y }) => `${round(x)},${round(y)}`).join(' ')}" class="${className}"/>`
}

/** A figure as people read it: 1,234,567; 12.3; 0.45. */
export function figure(value: number): string {
  const digits = Math.abs(value) >= 100 ? 0 : Math.abs(value) >= 10 ? 1 : 2
  return value.toLocaleString('en-US', { maximumFractionDigits: digits })
}

function round(value: number): number {
  return Math.round(value * 10) / 10
}

function escapeXml(content: string): string {
  return content
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')
}

/** A column of a {@link renderTable}. */
export interface Column<Row> {
  title: string
  value: (row: Row) => string
  /** Numbers stand at the right. Default: left. */
  align?: 'left' | 'right'
}

const GAP = '  '

/** Plain aligned columns under their titles, one row per line, with a line end; no rows: the titles alone. */
export function renderTable<Row>(rows: readonly Row[], columns: readonly Column<Row>[]): string {
  const cells = rows.map((row) => columns.map((column) => oneLine(column.value(row))))
  const lines = [columns.map((column) => column.title.toUpperCase()), ...cells]
  const widths = columns.map((_, index) => Math.max(...lines.map((line) => [...line[index]!].length)))
  return lines.map((line) => renderLine(line, widths, columns)).join('')
}

function renderLine<Row>(line: string[], widths: number[], columns: readonly Column<Row>[]): string {
  const padded = line.map((cell, index) => {
    const space = ' '.repeat(widths[index]! - [...cell].length)
    return columns[index]!.align === 'right' ? space + cell : cell + space
  })
  return `${padded.join(GAP).trimEnd()}\n`
}

/** Text from peers may hold line ends or escape codes for the terminal. */
export function oneLine(text: string): string {
  return text.replace(/\p{Cc}/gu, '?')
}

type Fields = Record<string, unknown>

/**
 * What the parts of the node log through. Messages are constant and lower-case; data goes in `fields`.
 * Never pass tokens, preimages, keys or whole packets.
 */
export interface Logger {
  error(message: string, fields?: Fields): void
  warn(message: string, fields?: Fields): void
  info(message: string, fields?: Fields): void
  debug(message: string, fields?: Fields): void
  /** A logger that adds `fields` to every line. */
  child(fields: Fields): Logger
}

/** Discards everything; for tests and embedding. */
export const silentLogger: Logger = {
  error: () => undefined,
  warn: () => undefined,
  info: () => undefined,
  debug: () => undefined,
  child: () => silentLogger,
}

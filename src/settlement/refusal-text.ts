import assert from 'node:assert'

const CODE = /^[a-z][a-z0-9-]{0,63}$/
const TEXT = /^([a-z][a-z0-9-]{0,63}): /

/**
 * The message of the Reject (F00) by which a node passes its engine's refusal on: `<code>: <text for people>`. RFC 38
 * has no place for a code of its own.
 * @param refusal a `MessageRefusedError`, or its fields
 */
export function writeRefusalText({ code, message }: { code: string; message: string }): string {
  assert(CODE.test(code), 'a refusal code is 1 to 64 of a-z 0-9 -, and begins with a letter')
  return `${code}: ${message}`
}

/** The code that {@link writeRefusalText} wrote; undefined when the text begins with none. */
export function readRefusalText(text: string): string | undefined {
  return TEXT.exec(text)?.[1]
}

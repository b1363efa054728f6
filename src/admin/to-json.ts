/** JSON with bigint as decimal strings: amounts may pass 2^53 and must not be rounded by the reader. */
export function toJson(value: unknown): string {
  return JSON.stringify(value, (_key, member: unknown) =>
    typeof member === 'bigint' ? member.toString() : member,
  )
}

/**
 * Fixed-length Interledger timestamps (RFC 30): 17 ASCII digits, YYYYMMDDHHmmSSfff, UTC. No Date is
 * made; the last day read and the last second written are kept, because neighbouring packets share them.
 */

/** Bytes. */
export const TIMESTAMP_LENGTH = 17
/** 9999-12-31T23:59:59.999Z: the last moment that four digits of a year can tell. */
export const TIMESTAMP_MAX_MS = 253_402_300_799_999

const DAY_MS = 86_400_000
const DAY_S = 86_400
const ZERO = 0x30
const DAYS_IN_MONTH = Uint8Array.of(0, 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)

let readDayKey = -1
let readDayStartMs = 0

/**
 * Reads the 17 digits at `offset`. The caller has checked that they lie in the buffer.
 * @returns milliseconds since the Unix epoch (negative before 1970), or NaN when the digits are no moment:
 *   a byte that is no digit, month 13, 30 February, hour 24, minute 60, or an unsmeared leap second (60)
 */
export function readTimestamp(buffer: Uint8Array, offset: number): number {
  const y1 = buffer[offset]! - ZERO
  const y2 = buffer[offset + 1]! - ZERO
  const y3 = buffer[offset + 2]! - ZERO
  const y4 = buffer[offset + 3]! - ZERO
  const mo1 = buffer[offset + 4]! - ZERO
  const mo2 = buffer[offset + 5]! - ZERO
  const d1 = buffer[offset + 6]! - ZERO
  const d2 = buffer[offset + 7]! - ZERO
  const h1 = buffer[offset + 8]! - ZERO
  const h2 = buffer[offset + 9]! - ZERO
  const mi1 = buffer[offset + 10]! - ZERO
  const mi2 = buffer[offset + 11]! - ZERO
  const s1 = buffer[offset + 12]! - ZERO
  const s2 = buffer[offset + 13]! - ZERO
  const f1 = buffer[offset + 14]! - ZERO
  const f2 = buffer[offset + 15]! - ZERO
  const f3 = buffer[offset + 16]! - ZERO
  // A byte below '0' makes its digit negative, one above '9' makes 9 - digit negative: one sign bit tells both.
  const below = y1 | y2 | y3 | y4 | mo1 | mo2 | d1 | d2 | h1 | h2 | mi1 | mi2 | s1 | s2 | f1 | f2 | f3
  const aboveDate = (9 - y1) | (9 - y2) | (9 - y3) | (9 - y4) | (9 - mo1) | (9 - mo2) | (9 - d1) | (9 - d2)
  const aboveTime = (9 - h2) | (9 - mi2) | (9 - s2) | (9 - f1) | (9 - f2) | (9 - f3)
  const hour = h1 * 10 + h2
  if ((below | aboveDate | aboveTime | (5 - mi1) | (5 - s1) | (23 - hour)) < 0) return Number.NaN

  const key = (((((y1 * 10 + y2) * 10 + y3) * 10 + y4) * 10 + mo1) * 10 + mo2) * 100 + d1 * 10 + d2
  if (key !== readDayKey) {
    const dayStartMs = dayStart(Math.floor(key / 10_000), mo1 * 10 + mo2, d1 * 10 + d2)
    if (Number.isNaN(dayStartMs)) return Number.NaN
    readDayKey = key
    readDayStartMs = dayStartMs
  }
  const seconds = (hour * 60 + mi1 * 10 + mi2) * 60 + s1 * 10 + s2
  return readDayStartMs + (seconds * 1000 + f1 * 100 + f2 * 10 + f3)
}

/** Midnight of a day of the proleptic Gregorian calendar in ms since the epoch, NaN when there is no such day. */
function dayStart(year: number, month: number, day: number): number {
  if (month < 1 || month > 12 || day < 1) return Number.NaN
  const leap = (year % 4 === 0 && year % 100 !== 0) || year % 400 === 0
  if (day > DAYS_IN_MONTH[month]! + (leap && month === 2 ? 1 : 0)) return Number.NaN
  // Years begin in March here, so that the leap day is the last of its year; eras are 400 years.
  const marchYear = month > 2 ? year : year - 1
  const era = Math.floor(marchYear / 400)
  const yearOfEra = marchYear - era * 400
  const dayOfYear = Math.floor((153 * (month > 2 ? month - 3 : month + 9) + 2) / 5) + day - 1
  const dayOfEra = yearOfEra * 365 + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100) + dayOfYear
  return (era * 146_097 + dayOfEra - 719_468) * DAY_MS
}

let writtenSecond = -1
let writtenDay = -1
/** The first 14 digits of the last second written. */
const written = new Uint8Array(14)

/**
 * Writes the 17 digits of `timeMs` at `offset`. The caller has checked the room.
 * @param timeMs whole milliseconds since the Unix epoch, 0..{@link TIMESTAMP_MAX_MS}
 * @throws RangeError when it is not; nothing is written then
 */
export function writeTimestamp(target: Uint8Array, offset: number, timeMs: number): void {
  checkTimestamp(timeMs)
  const second = Math.floor(timeMs / 1000)
  if (second !== writtenSecond) keepSecond(second)
  for (let i = 0; i < 14; i++) target[offset + i] = written[i]!
  const fraction = timeMs - second * 1000
  const tens = (fraction / 10) | 0
  const hundreds = (tens / 10) | 0
  target[offset + 14] = ZERO + hundreds
  target[offset + 15] = ZERO + tens - hundreds * 10
  target[offset + 16] = ZERO + fraction - tens * 10
}

/** @throws RangeError when {@link writeTimestamp} could not write `timeMs` */
export function checkTimestamp(timeMs: number): void {
  if (!(Number.isSafeInteger(timeMs) && timeMs >= 0 && timeMs <= TIMESTAMP_MAX_MS)) {
    throw new RangeError(
      `${timeMs} is no Interledger time: it must be whole milliseconds from 1970 to the end of the year 9999`,
    )
  }
}

function keepSecond(second: number): void {
  const day = Math.floor(second / DAY_S)
  if (day !== writtenDay) keepDay(day)
  const secondOfDay = second - day * DAY_S
  const hour = (secondOfDay / 3600) | 0
  const minute = ((secondOfDay / 60) | 0) - hour * 60
  keepTwoDigits(8, hour)
  keepTwoDigits(10, minute)
  keepTwoDigits(12, secondOfDay - hour * 3600 - minute * 60)
  writtenSecond = second
}

/** The inverse of {@link dayStart}, for days since 1970. */
function keepDay(day: number): void {
  const dayOfAllEras = day + 719_468
  const era = Math.floor(dayOfAllEras / 146_097)
  const dayOfEra = dayOfAllEras - era * 146_097
  const yearOfEra = Math.floor(
    (dayOfEra -
      Math.floor(dayOfEra / 1_460) +
      Math.floor(dayOfEra / 36_524) -
      Math.floor(dayOfEra / 146_096)) /
      365,
  )
  const dayOfYear = dayOfEra - (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100))
  const monthFromMarch = Math.floor((5 * dayOfYear + 2) / 153)
  const month = monthFromMarch < 10 ? monthFromMarch + 3 : monthFromMarch - 9
  const year = era * 400 + yearOfEra + (month <= 2 ? 1 : 0)
  keepTwoDigits(0, Math.floor(year / 100))
  keepTwoDigits(2, year % 100)
  keepTwoDigits(4, month)
  keepTwoDigits(6, dayOfYear - Math.floor((153 * monthFromMarch + 2) / 5) + 1)
  writtenDay = day
}

function keepTwoDigits(at: number, value: number): void {
  const tens = (value / 10) | 0
  written[at] = ZERO + tens
  written[at + 1] = ZERO + value - tens * 10
}

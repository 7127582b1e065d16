/** Times as requests state them: "20130524T000000Z", or, in a Date header, that of RFC 9110 section 5.6.7. */

const LONG = /^(\d{4})(\d{2})(\d{2})T(\d{2})(\d{2})(\d{2})Z$/

/** Milliseconds since 1970 of "yyyyMMdd'T'HHmmss'Z'"; undefined if it is anything else. */
export function parseAmzDate(text: string): number | undefined {
  const found = LONG.exec(text)
  if (found === null) return undefined
  const [, year, month, day, hour, minute, second] = found
  const ms = Date.UTC(Number(year), Number(month) - 1, Number(day), Number(hour), Number(minute), Number(second))
  return formatAmzDate(ms) === text ? ms : undefined
}

/** "20130524T000000Z", as x-amz-date has it. */
export function formatAmzDate(ms: number): string {
  const text = new Date(ms).toISOString()
  return `${text.slice(0, 4)}${text.slice(5, 7)}${text.slice(8, 13)}${text.slice(14, 16)}${text.slice(17, 19)}Z`
}

/** "2013-05-24T00:00:00Z": how errors name a time. */
export const errorTime = (ms: number): string => `${new Date(ms).toISOString().slice(0, 19)}Z`

/** A Date header, in either form. */
export function parseDateHeader(text: string): number | undefined {
  const long = parseAmzDate(text)
  if (long !== undefined) return long
  if (!/^[A-Z][a-z]{2}, \d{2} [A-Z][a-z]{2} \d{4} \d{2}:\d{2}:\d{2} (?:GMT|UTC|[+-]0000)$/.test(text)) return undefined
  const ms = Date.parse(text)
  return Number.isNaN(ms) ? undefined : ms
}

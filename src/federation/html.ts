/**
 * HTML as text that cannot be anything but what it says. Source: WHATWG HTML, "Parsing HTML documents": in text and quoted attributes only these five
 * characters matter.
 */

/** A piece of a page; made by `html` and `join` alone. */
export type Html = { readonly markup: string }

export type HtmlValue = string | number | Html | undefined | readonly HtmlValue[]

/** Whatever is put in is text, unless it is a piece of a page itself. */
export const html = (parts: TemplateStringsArray, ...values: readonly HtmlValue[]): Html => ({
  markup: parts.map((part, at) => part + (at < values.length ? markupOf(values[at]) : '')).join(''),
})

function markupOf(value: HtmlValue): string {
  if (value === undefined) return ''
  if (typeof value === 'string') return escaped(value)
  if (typeof value === 'number') return String(value)
  return 'markup' in value ? value.markup : value.map(markupOf).join('')
}

const escaped = (text: string): string => printable(text).replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`)

/** Control characters, and those that turn the direction of what follows, reach neither a terminal nor a page. */
export const printable = (text: string): string => text.replace(/[\p{Cc}\u202a-\u202e\u2066-\u2069]/gu, '?')

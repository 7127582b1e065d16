/** What people call a site, as its disks remember it. Format: docs/formats.md#disk-identity, `siteName`. */

export const SITE_NAME_LENGTH_MAX = 100

/** Shown on terminals and in pages: nothing that a terminal would obey, or that turns the writing around. */
export const isSiteName = (text: unknown): text is string =>
  typeof text === 'string' &&
  text.trim() !== '' &&
  [...text].length <= SITE_NAME_LENGTH_MAX &&
  !/[\p{Cc}\p{Zl}\p{Zp}\p{Bidi_C}]/u.test(text)

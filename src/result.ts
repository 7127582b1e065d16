/** An expected outcome as a value. Impossible states are asserted; a library's throw becomes a value at once. */
export type Result<T, F> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly error: F }

export const ok = <T>(value: T): { readonly ok: true; readonly value: T } => ({ ok: true, value })
export const fail = <F>(error: F): { readonly ok: false; readonly error: F } => ({ ok: false, error })
export const done: { readonly ok: true; readonly value: undefined } = { ok: true, value: undefined }

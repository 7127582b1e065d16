/** The file that starts the program. */
export function programFile(): Promise<string>

/** Packages with native code stay packages. */
export const NATIVE_PACKAGES: readonly string[]

/** The files of the program, by name: `main.mjs` and those that it loads. */
export function buildProgram(): Promise<ReadonlyMap<string, Uint8Array>>

/** A WebAssembly kernel: its AssemblyScript, the TypeScript module made of it, and the constant in that. Paths are from the project's root. */
export type Kernel = { readonly source: string; readonly module: string; readonly constant: string }

export const kernels: readonly Kernel[]

/** The text of the module that a kernel becomes. Rejects with the compiler's words. */
export function buildKernel(kernel: Kernel): Promise<string>

/** The part of WebAssembly's JavaScript interface that we use; @types/node leaves it to the browser's library. Source: W3C, WebAssembly JavaScript Interface. */
declare namespace WebAssembly {
  class Module {
    constructor(binary: Uint8Array)
  }
  class Instance {
    constructor(module: Module)
    readonly exports: unknown
  }
  class Memory {
    constructor(descriptor: { readonly initial: number })
    readonly buffer: ArrayBuffer
    grow(pages: number): number
  }
}

/** XXH64, XXH3 and XXH128 as streams, seed 0. Source: xxHash specification (Yann Collet); S3 takes the canonical, big-endian form. */
import type { ChecksumAlgorithm } from '../store/terms.ts'
import { XXHASH_KERNEL } from './xxhash-kernel.ts'

/** What the kernel takes in one call. */
const INPUT_BYTES = 64 * 1024
const STATE_BYTES = 336

type Exports = {
  memory: WebAssembly.Memory
  inputPointer(): number
  statePointer(): number
  resultPointer(): number
  xxh64Begin(): void
  xxh64Update(bytes: number): void
  xxh64End(): void
  xxh3Begin(): void
  xxh3Update(bytes: number): void
  xxh3End64(): void
  xxh3End128(): void
}

type Kernel = { readonly run: Exports; readonly input: Uint8Array; readonly state: Uint8Array; readonly result: Buffer }

/** One per thread, made at first use. It keeps nothing between calls: each XxHash carries its own state. */
let kernel: Kernel | undefined

function loadKernel(): Kernel {
  const run = new WebAssembly.Instance(new WebAssembly.Module(Buffer.from(XXHASH_KERNEL, 'base64'))).exports as Exports
  const { buffer } = run.memory
  return {
    run,
    input: new Uint8Array(buffer, run.inputPointer(), INPUT_BYTES),
    state: new Uint8Array(buffer, run.statePointer(), STATE_BYTES),
    result: Buffer.from(buffer, run.resultPointer(), 16),
  }
}

export class XxHash {
  readonly #kind: ChecksumAlgorithm & `XXHASH${string}`
  readonly #state = new Uint8Array(STATE_BYTES)

  constructor(kind: ChecksumAlgorithm & `XXHASH${string}`) {
    this.#kind = kind
    kernel ??= loadKernel()
    if (kind === 'XXHASH64') kernel.run.xxh64Begin()
    else kernel.run.xxh3Begin()
    this.#state.set(kernel.state)
  }

  update(bytes: Uint8Array): void {
    const { run, input, state } = kernel!
    const update = this.#kind === 'XXHASH64' ? run.xxh64Update : run.xxh3Update
    state.set(this.#state)
    for (let from = 0; from < bytes.length; from += INPUT_BYTES) {
      const piece = bytes.length <= INPUT_BYTES ? bytes : bytes.subarray(from, from + INPUT_BYTES)
      input.set(piece)
      update(piece.length)
    }
    this.#state.set(state)
  }

  /** Of all bytes so far, big-endian: 8 or 16 bytes. More may follow. */
  digest(): Buffer {
    const { run, state, result } = kernel!
    state.set(this.#state)
    if (this.#kind === 'XXHASH64') run.xxh64End()
    else if (this.#kind === 'XXHASH3') run.xxh3End64()
    else run.xxh3End128()
    return Buffer.from(result.subarray(0, this.#kind === 'XXHASH128' ? 16 : 8)).reverse()
  }
}

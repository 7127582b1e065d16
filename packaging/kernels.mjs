// Compiles the WebAssembly kernels from their AssemblyScript and writes each as a TypeScript module holding it as base64, which survives
// bundling into one file. `--check` writes nothing and ends with 1 if a committed module is not what its source gives.
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import asc from 'assemblyscript/dist/asc.js'
import { root } from './install.mjs'

export const kernels = [
  { source: 'src/s3/kernel/crc.ts', module: 'src/s3/crc-kernel.ts', constant: 'CRC_KERNEL' },
  { source: 'src/s3/kernel/md5.ts', module: 'src/s3/md5-kernel.ts', constant: 'MD5_KERNEL' },
  { source: 'src/s3/kernel/xxhash.ts', module: 'src/s3/xxhash-kernel.ts', constant: 'XXHASH_KERNEL' },
  { source: 'src/erasure/kernel/erasure.ts', module: 'src/erasure/erasure-kernel.ts', constant: 'ERASURE_KERNEL' },
]

/** The text of the module that a kernel becomes. */
export async function buildKernel({ source, constant }) {
  let binary
  const { error, stderr } = await asc.main(
    [source, '--outFile', 'kernel.wasm', '-O3', '--noAssert', '--runtime', 'stub', '--use', 'abort=', '--enable', 'simd,relaxed-simd'],
    {
      readFile: (name) => (existsSync(join(root, name)) ? readFileSync(join(root, name), 'utf8') : null),
      writeFile: (_name, content) => {
        binary = content
      },
      listFiles: () => [],
    },
  )
  if (error !== null || binary === undefined) throw new Error(`${source}: ${stderr.toString()}`)
  return [
    `// Made by \`npm run build:kernels\` from ${source}; never edited.`,
    `export const ${constant} =`,
    `  '${Buffer.from(binary).toString('base64')}'`,
    '',
  ].join('\n')
}

if (process.argv[1] === import.meta.filename) {
  for (const kernel of kernels) {
    const text = await buildKernel(kernel)
    const file = join(root, kernel.module)
    if (process.argv.includes('--check')) {
      if (readFileSync(file, 'utf8') === text) continue
      console.error(`${kernel.module} is not what ${kernel.source} gives: run "npm run build:kernels".`)
      process.exitCode = 1
    } else {
      writeFileSync(file, text)
      console.log(`${kernel.module}: ${text.length} characters`)
    }
  }
}

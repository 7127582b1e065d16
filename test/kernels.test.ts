import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { buildKernel, kernels } from '../packaging/kernels.mjs'

test('the committed WebAssembly kernels are what their sources give', async () => {
  for (const kernel of kernels) {
    const committed = readFileSync(new URL(`../${kernel.module}`, import.meta.url), 'utf8')
    expect(await buildKernel(kernel), `${kernel.module}: run "npm run build:kernels"`).toBe(committed)
  }
})

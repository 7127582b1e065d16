// Runs one of the project's tasks under the pinned Node.js, installing what is missing first. Plain JavaScript: any Node ≥ 20 starts it.
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { ensureInstalled, root, runtime } from './install.mjs'

const tasks = {
  test: (rest) => [['vitest', 'run', '--config', 'test/vitest.config.ts', ...rest]],
  // What needs nothing else either, but longer than `npm test` may take.
  long: (rest) => [['vitest', 'run', '--config', 'test/vitest.config.ts', 'test/long', ...rest]],
  // What needs other people's software (.ci/run installs it), and what takes longer than `npm test` may.
  clients: (rest) => [['vitest', 'run', '--config', 'test/clients.config.ts', ...rest]],
  kernels: (rest) => [['kernels', ...rest]],
  'pack-offline': () => [['pack-offline']],
  check: () => [
    ['tsc', '-p', '.'],
    ['biome', 'check', '.'],
  ],
  format: () => [['biome', 'check', '--write', '.']],
}

const [task, ...rest] = process.argv.slice(2)
const steps = tasks[task]?.(rest)
if (steps === undefined) {
  console.error(`No task named ${task}; there are: ${Object.keys(tasks).join(', ')}.`)
  process.exit(2)
}
ensureInstalled()
if (task === 'long') process.env.HOLDFAST_LONG = '1'
const tools = {
  vitest: ['node_modules/vitest/vitest.mjs'],
  tsc: ['node_modules/typescript/bin/tsc'],
  kernels: ['packaging/kernels.mjs'],
  'pack-offline': ['packaging/pack-offline.mjs'],
  biome: ['node_modules/@biomejs/biome/bin/biome'],
}
for (const [tool, ...args] of steps) {
  const ended = spawnSync(runtime(), [...tools[tool].map((part) => join(root, part)), ...args], { stdio: 'inherit', cwd: root })
  if (ended.status !== 0) process.exit(ended.status ?? 1)
}

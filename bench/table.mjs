// table.mjs FILE…: JSON lines of compare.sh, of one or several runs, as a table of medians and their ratios.
import { readFileSync } from 'node:fs'

const PHASES = {
  put4k: 'PUT 4 KiB',
  get4k: 'GET 4 KiB',
  stat4k: 'HEAD',
  delete4k: 'DELETE',
  list1000: 'LIST of 1,000',
  put64m: 'PUT 64 MiB',
  get64m: 'GET 64 MiB',
}
const rows = process.argv.slice(2).flatMap((file) =>
  readFileSync(file, 'utf8')
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line)),
)

const of = (op, name) => rows.filter((row) => row.op === op && row.name === name)
const median = (values) => {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
}
const shown = (value) => (value >= 100 ? Math.round(value).toLocaleString('en') : value.toPrecision(3))

console.log('| | requests/s | MinIO | MiB/s | MinIO | requests per CPU-s | MinIO | ratio | MiB per CPU-s | MinIO | ratio | errors |')
console.log('|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|')
for (const [op, label] of Object.entries(PHASES)) {
  const [ours, theirs] = [of(op, 'holdfast'), of(op, 'minio')]
  if (ours.length === 0 || theirs.length === 0) continue
  const pair = (field) => [median(ours.map((row) => row[field])), median(theirs.map((row) => row[field]))]
  const ratio = ([one, other]) => `**${(one / other).toPrecision(3)}×**`
  const [rate, bytes, perCpu, bytesPerCpu] = ['ops_per_s', 'mib_per_s', 'ops_per_server_cpu_s', 'mib_per_server_cpu_s'].map(pair)
  const sized = bytes[0] > 0
  const cells = [
    ...rate.map(shown),
    ...(sized ? bytes.map(shown) : ['', '']),
    ...perCpu.map(shown),
    ratio(perCpu),
    ...(sized ? [...bytesPerCpu.map(shown), ratio(bytesPerCpu)] : ['', '', '']),
  ]
  console.log(`| ${label} | ${cells.join(' | ')} | ${ours.reduce((sum, row) => sum + row.errors, 0)} |`)
}

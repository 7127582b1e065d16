import { expect, test } from 'vitest'
import type { Cli } from '../../src/cli/cli.ts'
import { Output } from '../../src/cli/output.ts'
import { buildProgram } from '../../src/cli/program.ts'

const STATUS = {
  ...{ name: 'one', site: 'a', state: 'healthy', sentence: 'All disks are in.', survives: 1, dataShards: 1, parityShards: 1 },
  ...{ generation: 3, sequence: 4, shardsToRepair: 0, hidden: { versions: 0, bytes: 0 }, disks: [], scrub: {}, epoch: 1, warnings: [] },
}

/** What `holdfast status` prints of a site that answers this. */
async function printed(status: object): Promise<string> {
  let text = ''
  const out = (piece: string): void => {
    text += piece
  }
  const commands = new Map([['status', { name: 'status', run: async () => ({ ok: true, value: status }) }]])
  const cli = {
    output: new Output({ out, err: out, interactive: false, isRead: true }, { json: false }),
    workingDirectory: '/nowhere',
    openSite: async () => ({ ok: true, value: { site: {}, commands, close: async () => undefined } }),
  } as unknown as Cli
  await buildProgram(() => cli, { version: '0' }).parseAsync(['node', 'holdfast', 'status', 'site'])
  return text
}

test('one bucket is not called buckets', async () => {
  expect(await printed({ ...STATUS, buckets: 1 })).toContain('epoch 1, 1 bucket.\n')
  expect(await printed({ ...STATUS, buckets: 0 })).toContain('epoch 1, 0 buckets.\n')
})

test('a site that is read-only is said to be so once', async () => {
  const sentence = 'Other disks went on without these.'
  expect(await printed({ ...STATUS, buckets: 1, state: 'read-only', sentence })).toContain(
    'one: read-only. Other disks went on without these.\n',
  )
})

import { expect, test } from 'vitest'
import type { Cli } from '../../src/cli/cli.ts'
import { Output } from '../../src/cli/output.ts'
import { buildProgram } from '../../src/cli/program.ts'

/** Runs `holdfast disk scrub` against a site of which it must not ask anything. */
const scrubbedAt = (rate: string): Promise<unknown> => {
  const terminal = { out: () => undefined, err: () => undefined, interactive: false, isRead: true }
  const openSite = async () => expect.fail('the site was opened')
  const cli = { output: new Output(terminal, { json: false }), workingDirectory: '/nowhere', openSite } as unknown as Cli
  return buildProgram(() => cli, { version: '0' }).parseAsync(['node', 'holdfast', 'disk', 'scrub', 'site', '--rate', rate])
}

test('a scrub that would not end in useful time is refused, and the least rate is said', async () => {
  for (const rate of ['1', '1KB', '999999B'])
    await expect(scrubbedAt(rate)).rejects.toMatchObject({
      failure: { exit: 2, sentence: expect.stringMatching(/^At \d+ bytes a second .* 1MB or more .* twelve days\)\.$/) },
    })
  await expect(scrubbedAt('1MB')).rejects.toThrow('the site was opened')
})

import { fail, ok } from '../../result.ts'
import { type AdminCommand, stringField } from '../command.ts'

export type DisksRetired = {
  readonly retired: readonly string[]
  /** Whether the site may be written at once, or from its next start on. */
  readonly when: 'now' | 'at-next-start'
  /** Acknowledged changes that are given up. */
  readonly givenUp: number | 'unknown'
  readonly sentence: string
}

/** Takes an operator's word that disks are lost for good. What that gives up has to be said with it. */
export const diskRetire: AdminCommand<DisksRetired> = {
  name: 'disk/retire',
  async run(site, input) {
    const directories = textsField(input, 'directories')
    if (directories === undefined) return fail({ exit: 2, sentence: 'The request lacks "directories", a list of texts.' })
    const giveUp = stringField(input, 'giveUp')
    const retired = await site.control.retireDisks(directories, giveUp.ok ? giveUp.value : undefined)
    return retired.ok ? ok({ retired: directories, ...retired.value }) : fail({ exit: 5, sentence: retired.error })
  },
}

function textsField(input: unknown, field: string): string[] | undefined {
  const value = (input as Record<string, unknown> | null | undefined)?.[field]
  return Array.isArray(value) && value.length > 0 && value.every((text) => typeof text === 'string' && text !== '') ? value : undefined
}

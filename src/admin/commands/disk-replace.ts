import { fail, ok } from '../../result.ts'
import { type AdminCommand, stringField } from '../command.ts'

/** Puts a new directory in the place of a disk and fills it, while serving. */
export const diskReplace: AdminCommand<{ readonly path: string; readonly state: 'in' }> = {
  name: 'disk/replace',
  async run(site, input, progress) {
    const oldDirectory = stringField(input, 'oldDirectory')
    if (!oldDirectory.ok) return oldDirectory
    const newDirectory = stringField(input, 'newDirectory')
    if (!newDirectory.ok) return newDirectory
    const force = (input as { readonly force?: unknown }).force === true
    const request = { oldDirectory: oldDirectory.value, newDirectory: newDirectory.value, force }
    const replaced = await site.control.replaceDisk(request, (step) =>
      progress({ what: 'healing', done: step.doneBytes, total: step.totalBytes, unit: 'bytes' }),
    )
    if (!replaced.ok) return fail({ exit: 5, sentence: replaced.error })
    return ok({ path: newDirectory.value, state: 'in' })
  },
}

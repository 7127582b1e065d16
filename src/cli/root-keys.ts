/** The root keys that come from the environment, for a site that is about to be made. */
import { checkRootKeys, makeRootKeys, type RootKeys } from '../admin/site-keys.ts'
import { type Cli, end } from './cli.ts'

/** Undefined if neither is set (or both are empty). Of one alone, the other is empty. */
export function keysFromEnvironment({ environment }: Pick<Cli, 'environment'>): RootKeys | undefined {
  const accessKeyId = environment.HOLDFAST_ROOT_ACCESS_KEY ?? ''
  const secretAccessKey = environment.HOLDFAST_ROOT_SECRET_KEY ?? ''
  return accessKeyId === '' && secretAccessKey === '' ? undefined : { accessKeyId, secretAccessKey }
}

/** The keys for a new site: those of the environment, else made. Ends the command if those of the environment cannot be keys. */
export function chooseRootKeys(cli: Cli): { readonly keys: RootKeys; readonly from: 'environment' | 'made' } {
  const given = keysFromEnvironment(cli)
  if (given === undefined) return { keys: makeRootKeys(), from: 'made' }
  const checked = checkRootKeys(given)
  return checked.ok ? { keys: given, from: 'environment' } : end(2, checked.error)
}

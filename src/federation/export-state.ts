/** An export under way, as its folder of state keeps it: what was asked for, the frozen plan, key and finished volumes. */
import { type BundleState, parseBundleState, serializeBundleState } from '../bundles/bundle-state.ts'
import { type Json, parseJson } from '../bundles/json.ts'
import type { SiteId } from '../store/terms.ts'
import type { ExportArguments, ExportPlan } from './export-plan.ts'
import { opened, Refusal } from './site.ts'
import type { StateFolder } from './state-files.ts'
import { parseStatement, statementJson } from './statement.ts'

export async function savePlan(folder: StateFolder, plan: ExportPlan): Promise<void> {
  await folder.write('plan.json', JSON.stringify({ format: 1, ...plan, statement: statementJson(plan.statement) }))
}

export const saveBundleState = (folder: StateFolder, state: BundleState): Promise<void> =>
  folder.write('bundle.json', serializeBundleState(state))

export async function loadBundleState(folder: StateFolder): Promise<BundleState | undefined> {
  const file = await folder.read('bundle.json')
  return file && opened(parseBundleState(file.toString()))
}

export async function loadPlan(folder: StateFolder): Promise<ExportPlan | undefined> {
  const file = await folder.read('plan.json')
  if (file === undefined) return undefined
  const names = (value: Json): readonly string[] | undefined =>
    Array.isArray(value) && value.every((name) => typeof name === 'string') ? (value as readonly string[]) : undefined
  const plan = parseJson(file, (fields): ExportPlan => {
    fields.is('format', 1)
    const complete = fields.json('complete')
    return {
      asked: fields.object('asked', (asked): ExportArguments => {
        const full = asked.json('full')
        const buckets = asked.json('buckets')
        return {
          peer: asked.hex('peer', 16) as SiteId,
          buckets: buckets === null ? null : (names(buckets) ?? asked.malformed()),
          prefix: asked.optional('prefix', (name) => asked.text(name, 1024)) ?? null,
          volumeBytes: asked.integer('volumeBytes', 0, Number.MAX_SAFE_INTEGER),
          parityVolumes: asked.integer('parityVolumes', 0, Number.MAX_SAFE_INTEGER),
          full: full === true,
          expiresInMs: asked.integer('expiresInMs', 0, Number.MAX_SAFE_INTEGER),
        }
      }),
      createdMs: fields.integer('createdMs', 0, Number.MAX_SAFE_INTEGER),
      expiresMs: fields.integer('expiresMs', 0, Number.MAX_SAFE_INTEGER),
      bundles: names(fields.json('bundles')) ?? fields.malformed(),
      complete: complete === true,
      leftOut: names(fields.json('leftOut')) ?? fields.malformed(),
      statement: parseStatement(fields.json('statement')) ?? fields.malformed(),
    }
  })
  if (plan === undefined)
    throw new Refusal(5, 'state-mismatch', `The saved state of this export (${folder.path}) is damaged: export into another, empty folder.`)
  return plan
}

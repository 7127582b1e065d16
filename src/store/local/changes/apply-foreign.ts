import type { ApplyContext, PlacedChange } from './context.ts'
import type { ApplyForeignRecord } from './record.ts'
export function applyForeign(_context: ApplyContext, _change: PlacedChange, _record: ApplyForeignRecord): void {}

import { type DecideContext, type Decision, refused } from './context.ts'
export function decideForeign(_context: DecideContext, _request: unknown): Decision {
  return refused('unavailable')
}

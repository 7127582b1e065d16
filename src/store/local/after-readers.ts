/** A disk that gave its place to another is still read by requests that began before: it is let go when they have ended. */
import type { Clock } from '../../environment.ts'
import type { Board } from './board.ts'

/** By then all threads know that it has no place any more. */
const KNOWN_AFTER_MS = 1000
const LOOK_AGAIN_MS = 1000

/** Does it when no request is under way any more that may know of what was a moment ago; the returned function takes that back. */
export function afterReaders(board: Board, clock: Clock, act: () => void): () => void {
  let freeing: number | undefined
  const look = (): void => {
    freeing ??= board.noteFreed()
    if (board.isPast(freeing)) act()
    else cancel = clock.timer(LOOK_AGAIN_MS, look)
  }
  let cancel = clock.timer(KNOWN_AFTER_MS, look)
  return () => cancel()
}

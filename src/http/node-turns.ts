import type { IncomingMessage } from 'node:http'
import type { Socket } from 'node:net'
import { PIPELINED_MAX, PIPELINED_PAUSE } from './limits.ts'

/** Serves one request. False: the connection ends with its reply. */
type Turn = () => Promise<boolean>
type Line = { last: IncomingMessage | undefined; readonly waiting: Turn[] }

/**
 * Requests of one connection take turns: node:http hands out all that it has read at once and keeps only the replies in order, but a request must see what the
 * one before it did. Source: RFC 9112, section 9.3.2. What comes behind the last reply of a connection is never begun (section 9.6).
 */
export class NodeTurns {
  readonly #lines = new WeakMap<Socket, Line>()

  take(request: IncomingMessage, turn: Turn): void {
    const { socket } = request
    const line = this.#lines.get(socket)
    if (line === undefined) {
      const begun: Line = { last: request, waiting: [] }
      this.#lines.set(socket, begun)
      void this.#serve(socket, begun, turn)
    } else if (line.waiting.length < PIPELINED_MAX) {
      line.last = request
      line.waiting.push(turn)
      // What was read with this one still comes; the rest waits in the kernel.
      if (line.waiting.length === PIPELINED_PAUSE) socket.pause()
    } else socket.destroy()
  }

  /** What follows on the connection cannot be understood: the refusal ends it, after the replies to the requests before. */
  breakOff(socket: Socket, refuse: () => void): void {
    const line = this.#lines.get(socket)
    const brokenBody = line?.last?.complete === false
    if (line === undefined || (brokenBody && line.waiting.length === 0)) {
      refuse()
      return
    }
    if (brokenBody) line.waiting.pop()
    line.last = undefined
    line.waiting.push(async () => {
      refuse()
      return false
    })
  }

  async #serve(socket: Socket, line: Line, first: Turn): Promise<void> {
    for (let turn: Turn | undefined = first; turn !== undefined; turn = line.waiting.shift()) {
      if (line.waiting.length === PIPELINED_PAUSE - 1) socket.resume()
      // The line stays in its place, so that nothing after it begins.
      if (!(await turn()) || socket.destroyed) return
    }
    this.#lines.delete(socket)
  }
}

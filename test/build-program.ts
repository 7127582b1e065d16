/** Before all tests: the program is built as `npm start` and `npx holdfast` build it, so that what runs in processes of its own is what users run. */
import { programFile } from '../packaging/built.mjs'

export default async function buildProgram(): Promise<void> {
  process.env.HOLDFAST_PROGRAM = await programFile()
}

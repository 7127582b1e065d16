/** The file that starts the program; test/build-program.ts made it. */
export const program: string = process.env.HOLDFAST_PROGRAM ?? missing()

function missing(): never {
  throw new Error('HOLDFAST_PROGRAM is not set: run the tests with npm.')
}

import { SimulatedWorld } from '../sim/world.ts'
import { diskContract } from './disk-contract.ts'

diskContract(async () => {
  const world = new SimulatedWorld(11)
  const disk = world.addDisk('disk')
  return {
    disk,
    run: (promise) => world.run(promise),
    deleteDirectory: async () => disk.deleteDirectory(),
    reopen: async () => disk.reopen(),
    end: async () => {},
  }
})

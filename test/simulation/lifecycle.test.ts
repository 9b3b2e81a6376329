/**
 * Random operations on a few containers in random order, with everything below the engine answering in random order, and
 * the daemon killed at random. Each run is a function of its seed: SIMULATION_SEED=N plays one again.
 */
import { describe, it } from 'node:test'
import { simulate } from './simulation.ts'

const SEEDS = Number(process.env['SIMULATION_SEEDS'] ?? 300)
const only = process.env['SIMULATION_SEED']

describe('the life of containers', () => {
  it(`keeps its invariants over ${only === undefined ? SEEDS : 1} seeds`, async () => {
    const seeds = only === undefined ? Array.from({ length: SEEDS }, (_, i) => i + 1) : [Number(only)]
    for (const seed of seeds) await simulate(seed)
  })
})

/** All scenarios. */
import type { Scenario } from './scenario.ts'
import { creationScenarios } from './scenarios/container-create.ts'
import { lifeScenarios } from './scenarios/container-life.ts'
import { listScenarios } from './scenarios/container-list.ts'
import { fileScenarios } from './scenarios/files.ts'
import { imageScenarios } from './scenarios/images.ts'
import { networkScenarios } from './scenarios/networks.ts'
import { streamScenarios } from './scenarios/streams.ts'
import { systemScenarios } from './scenarios/system.ts'

export const scenarios: readonly Scenario[] = [
  ...systemScenarios,
  ...creationScenarios,
  ...lifeScenarios,
  ...listScenarios,
  ...streamScenarios,
  ...fileScenarios,
  ...imageScenarios,
  ...networkScenarios,
]

import type { Operation } from '#compose/plan/operation.ts'

/** What an operation is about, while it runs, and once it is done. */
export interface Words {
  readonly object: string
  readonly running: string
  readonly done: string
}

const verbs: Readonly<Record<Operation['type'], readonly [string, string, string]>> = {
  'create network': ['Network', 'Creating', 'Created'],
  'remove network': ['Network', 'Removing', 'Removed'],
  'create volume': ['Volume', 'Creating', 'Created'],
  'remove volume': ['Volume', 'Removing', 'Removed'],
  'pull image': ['Image', 'Pulling', 'Pulled'],
  'build image': ['Image', 'Building', 'Built'],
  'remove image': ['Image', 'Removing', 'Removed'],
  'create container': ['Container', 'Creating', 'Created'],
  'replace container': ['Container', 'Recreate', 'Recreated'],
  'start container': ['Container', 'Starting', 'Started'],
  'restart container': ['Container', 'Restarting', 'Restarted'],
  'stop container': ['Container', 'Stopping', 'Stopped'],
  'remove container': ['Container', 'Removing', 'Removed'],
  'rename container': ['Container', 'Renaming', 'Renamed'],
  'wait for service': ['Service', 'Waiting', 'Ready'],
}

/** In the words that Compose shows. */
export function wordsOf(operation: Operation): Words {
  const [noun, running, done] = verbs[operation.type]
  if (operation.type === 'wait for service') {
    const [waiting, ended] =
      operation.condition === 'service_completed_successfully'
        ? ['Waiting for its end', 'Exited']
        : ['Waiting to be healthy', 'Healthy']
    return { object: `${noun} ${operation.service}`, running: waiting, done: ended }
  }
  return { object: `${noun} ${nameOf(operation)}`, running, done }
}

function nameOf(operation: Exclude<Operation, { type: 'wait for service' }>): string {
  switch (operation.type) {
    case 'create network':
    case 'remove network':
    case 'create volume':
    case 'remove volume':
    case 'start container':
      return operation.name
    case 'pull image':
    case 'build image':
    case 'remove image':
      return operation.image
    default:
      return operation.container.name
  }
}

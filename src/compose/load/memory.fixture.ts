/** Projects from files in memory, for tests. */
import type { Project } from '../model/project.ts'
import type { Files } from './files.ts'
import { type LoadOptions, loadProject } from './project.ts'

function memoryFiles(contents: Readonly<Record<string, string>>): Files {
  return {
    read: (path) => contents[path],
    isDirectory: (path) => Object.keys(contents).some((name) => name.startsWith(`${path}/`)),
  }
}

/** The project that `/p/compose.yaml` with this text is, other files beside it. */
export function projectOf(
  text: string,
  others: Readonly<Record<string, string>> = {},
  options: Partial<LoadOptions> = {},
): Project {
  return loadProject({
    cwd: '/p',
    home: '/home/me',
    shell: new Map(),
    files: memoryFiles({ '/p/compose.yaml': text, ...others }),
    paths: [],
    envFiles: [],
    profiles: [],
    warn: () => undefined,
    ...options,
  })
}

import { readFileSync, statSync } from 'node:fs'
import { basename, join, relative } from 'node:path'
import { isErrno } from '#base/errors.ts'
import { IgnoreMatcher, parseIgnore } from '#build/dockerfile/ignore.ts'
import type { Watch } from '#compose/model/project.ts'

/** What nobody wants to have in a container because it changed: version control and editors' temporary files. */
const ALWAYS = ['**/.git', '**/.hg', '**/.svn', '**/*.swp', '**/*~', '**/.#*', '**/.DS_Store', '**/___jb_*']

/** Whether a change of a path counts, by `ignore`, `include` and the ignore file of the build. */
export function ruleFor(
  { path: root, ignore = [], include = [] }: Watch,
  context: string | undefined,
): (path: string) => boolean {
  const own = new IgnoreMatcher([...ALWAYS, ...ignore])
  const ofBuild =
    context === undefined ? undefined : new IgnoreMatcher(parseIgnore(textOf(join(context, '.dockerignore'))))
  const wanted = include.length === 0 ? undefined : new IgnoreMatcher(include)
  const isDirectory = statSync(root, { throwIfNoEntry: false })?.isDirectory() === true
  return (path) => {
    const name = isDirectory ? relative(root, path) : basename(path)
    if (name === '') return true
    if (own.ignores(name)) return false
    if (wanted !== undefined && !wanted.ignores(name)) return false
    const inContext = context === undefined ? '' : relative(context, path)
    return (
      ofBuild === undefined || inContext.startsWith('..') || inContext === '' || !ofBuild.ignores(inContext)
    )
  }
}

function textOf(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return ''
    throw error
  }
}

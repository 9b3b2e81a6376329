/** Checks every import under src/ against tools/layers.ts, and that only os/ starts processes. */
import { globSync, readFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { layers } from './layers.ts'

const IMPORT = /(?:from|import)\s*\(?\s*'([^']+)'/g
const root = join(import.meta.dirname, '..', 'src')

const problems = globSync('**/*.ts', { cwd: root }).flatMap((file) => {
  const text = readFileSync(join(root, file), 'utf8')
  return [...text.matchAll(IMPORT)].flatMap(([, target = '']) => problemOf(file, target) ?? [])
})

for (const problem of problems) process.stderr.write(`${problem}\n`)
process.exitCode = problems.length === 0 ? 0 : 1

function problemOf(file: string, target: string): string | undefined {
  const from = layerOf(file)
  if (target === 'node:child_process' && from !== 'os' && !file.endsWith('.test.ts') && from !== 'cli') {
    return `${file}: only os/ and cli/ start processes`
  }
  if (target.startsWith('.')) {
    const path = relative(root, join(root, dirname(file), target))
    return layerOf(path) === from
      ? undefined
      : `${file}: import ${target} leaves its layer; write #layer/file.ts`
  }
  if (!target.startsWith('#') || target.startsWith('#test/')) return undefined
  return allowed(file, from, target.slice(1))
}

function allowed(file: string, from: string, path: string): string | undefined {
  const to = layerOf(path)
  if (from === to) return `${file}: inside a layer import ./ or ../`
  const may = layers[from] ?? []
  const mayRoom = may.some((room) => room.includes('/') && path.startsWith(`${room}/`))
  return may.includes('*') || may.includes(to) || mayRoom
    ? undefined
    : `${file}: ${from} may not import ${to}`
}

function layerOf(path: string): string {
  return path.split('/')[0] ?? ''
}

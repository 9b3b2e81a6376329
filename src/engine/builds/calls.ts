import { IgnoreMatcher, parseIgnore } from '#build/dockerfile/ignore.ts'
import { lint, type Warning } from '#build/dockerfile/lint.ts'
import { listTargets, outlineOf } from '#build/dockerfile/outline.ts'
import { parseDockerfile } from '#build/dockerfile/parse.ts'
import { type BuildArguments, globalScope } from '#build/dockerfile/scope.ts'
import { findTarget, resolveStages, type StageGraph } from '#build/dockerfile/stages.ts'
import type { BuildRequest, ResolvedImage } from '#build/graph/plan.ts'
import { baseImageOf } from '#build/plan/checks.ts'
import { hostPlatform, type Platform } from '#oci/platform.ts'
import type { BuildMessage, BuildOptions } from './service.ts'

type Answer = Extract<BuildMessage, { type: 'call' }>

/** An image of this host; undefined when it is not here. */
export type LocalImage = (
  reference: string,
  platform: Platform,
) => Promise<Pick<ResolvedImage, 'config'> | undefined>

/** `--call`: what can be said of a Dockerfile without building it, or fetching what it stands on. */
export async function answerCall(
  call: Exclude<BuildOptions['call'], 'build'>,
  request: BuildRequest,
  images: LocalImage,
): Promise<Answer> {
  const file = parseDockerfile(request.dockerfile, request.dockerfileName)
  const build: BuildArguments = {
    buildArgs: request.buildArgs,
    buildPlatform: hostPlatform(),
    targetPlatform: request.platforms[0] ?? hostPlatform(),
    ...(request.target === undefined ? {} : { targetStage: request.target }),
  }
  const contexts = new Set(request.contexts.keys())
  if (call === 'targets') return targets(listTargets(file))
  const global = globalScope(file, build)
  const graph = resolveStages(file, global, contexts)
  if (call === 'outline') {
    return outline(outlineOf(graph, global, findTarget(graph, request.target)))
  }
  const ignore =
    request.ignore === undefined ? {} : { ignore: new IgnoreMatcher(parseIgnore(request.ignore)) }
  const bases = await basesOf(graph, build.targetPlatform, images)
  const baseImage = (_: string, stage: number) => baseImageOf(bases.get(stage))
  return check(lint({ file, build, contexts, baseImage, ...ignore }).warnings)
}

/** By the numbers of stages. */
async function basesOf(graph: StageGraph, target: Platform, images: LocalImage) {
  const found = graph.stages.map(async ({ base: { origin }, platform }, stage) => {
    const image = origin.type === 'image' ? await images(origin.reference, platform ?? target) : undefined
    return image === undefined ? [] : [[stage, image] as const]
  })
  return new Map((await Promise.all(found)).flat())
}

function check(warnings: readonly Warning[]): Answer {
  const count = warnings.length
  const lines =
    count === 0
      ? ['Check complete, no warnings found.']
      : [`Check complete, ${count} warning${count === 1 ? ' has' : 's have'} been found!`]
  for (const { rule, message, excerpt, description } of warnings) {
    lines.push('', `WARNING: ${rule}: ${description}`, message, excerpt)
  }
  return { type: 'call', text: `${lines.join('\n')}\n`, document: { warnings }, status: count === 0 ? 0 : 1 }
}

function targets(all: ReturnType<typeof listTargets>): Answer {
  const rows = all.map(({ name, isDefault, description }) => [
    `${name ?? ''}${isDefault ? ' (default)' : ''}`.trim(),
    description ?? '',
  ])
  return { type: 'call', text: table(['TARGET', 'DESCRIPTION'], rows), document: { targets: all }, status: 0 }
}

function outline({ name, description, args, secrets, ssh }: ReturnType<typeof outlineOf>): Answer {
  const parts = [
    `TARGET: ${name ?? '(the last stage)'}\n`,
    ...(description === undefined ? [] : [`DESCRIPTION: ${description}\n`]),
    ...section(['BUILD ARG', 'VALUE', 'DESCRIPTION'], args, (arg) => [
      arg.name,
      arg.value ?? '',
      arg.description ?? '',
    ]),
    ...section(['SECRET', 'REQUIRED'], secrets, (secret) => [secret.id, String(secret.required)]),
    ...section(['SSH', 'REQUIRED'], ssh, (agent) => [agent.id, String(agent.required)]),
  ]
  return {
    type: 'call',
    text: parts.join('\n'),
    document: { name, description, args, secrets, ssh },
    status: 0,
  }
}

function section<Item>(
  head: readonly string[],
  items: readonly Item[],
  row: (item: Item) => readonly string[],
): readonly string[] {
  return items.length === 0 ? [] : [table(head, items.map(row))]
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const all = [head, ...rows]
  const widths = head.map((_, column) => Math.max(...all.map((row) => (row[column] ?? '').length)))
  const line = (row: readonly string[]): string =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('   ')
      .trimEnd()
  return `${all.map(line).join('\n')}\n`
}

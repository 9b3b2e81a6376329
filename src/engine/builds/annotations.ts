import { EngineError } from '#base/errors.ts'
import { formatPlatform, type Platform } from '#oci/platform.ts'

type Annotations = Readonly<Record<string, string>>

export interface ImageAnnotations {
  readonly annotations?: Annotations | undefined
  readonly descriptorAnnotations?: Annotations | undefined
}

export interface BuildAnnotations {
  readonly index: Annotations | undefined
  of(platform: Platform): ImageAnnotations
}

const TYPES = ['manifest', 'manifest-descriptor', 'index', 'index-descriptor'] as const

interface Annotation {
  readonly type: (typeof TYPES)[number]
  readonly platform: string | undefined
  readonly key: string
  readonly value: string
}

/** `--annotation [type[,type]…[platform]:]key=value`; without a type it is about the manifest. */
export function parseAnnotations(texts: readonly string[]): BuildAnnotations {
  const all = texts.flatMap(parseAnnotation)
  const chosen = (type: Annotation['type'], platform?: Platform): Annotations | undefined => {
    const pairs = all
      .filter((each) => each.type === type)
      .filter(
        (each) => each.platform === undefined || each.platform === (platform && formatPlatform(platform)),
      )
      .map(({ key, value }) => [key, value] as const)
    return pairs.length === 0 ? undefined : Object.fromEntries(pairs)
  }
  return {
    index: chosen('index'),
    of: (platform) => ({
      annotations: chosen('manifest', platform),
      descriptorAnnotations: chosen('manifest-descriptor', platform),
    }),
  }
}

function parseAnnotation(text: string): readonly Annotation[] {
  const found = /^(?:(?<types>[a-z,-]+)(?:\[(?<platform>[^\]]+)\])?:)?(?<key>[^=]+)=(?<value>.*)$/s.exec(text)
  const { types = 'manifest', platform, key = '', value = '' } = found?.groups ?? {}
  if (found === null) throw invalid(text, 'want [type:]key=value')
  return types.split(',').map((name) => {
    const type = TYPES.find((each) => each === name)
    if (type === undefined) throw invalid(text, `unknown type "${name}": known are ${TYPES.join(', ')}`)
    return { type, platform, key, value }
  })
}

function invalid(text: string, why: string): EngineError {
  return new EngineError('invalid_argument', `invalid annotation "${text}": ${why}`, {
    code: 'BUILD_ANNOTATION_INVALID',
  })
}

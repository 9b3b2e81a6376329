import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { isKind } from '#base/errors.ts'
import { IgnoreMatcher } from './ignore.ts'
import { lint, type LintInput, type LintResult } from './lint.ts'
import { parseDockerfile } from './parse.ts'
import { type RuleName, rules } from './rules.ts'

const GOLDEN = join(import.meta.dirname, '../../../test/golden/dockerfile')
const amd64 = { os: 'linux', architecture: 'amd64' }

function check(text: string, more: Partial<LintInput> = {}, buildArgs = {}): LintResult {
  const build = { buildArgs, buildPlatform: amd64, targetPlatform: amd64 }
  return lint({ file: parseDockerfile(text), build, ...more })
}

function found(text: string, more?: Partial<LintInput>, buildArgs = {}): readonly string[] {
  return check(text, more, buildArgs).warnings.map(
    ({ range, rule, message }) => `${range.start.line} ${rule}: ${message}`,
  )
}

/** A file that breaks the rule, and one beside it that does not. */
const pairs: Readonly<Record<RuleName, readonly [wrong: string, right: string]>> = {
  ConsistentInstructionCasing: ['FROM scratch\nRUN a\nrun b\n', 'from scratch\nrun a\n'],
  CopyIgnoredFile: [
    'FROM scratch\nCOPY a.md x/../b.md ok /d/\n',
    'FROM scratch\nCOPY ok /d/\nCOPY --from=img a.md /\n',
  ],
  DuplicateStageName: ['FROM scratch AS a\nFROM scratch AS a\n', 'FROM scratch AS a\nFROM scratch AS b\n'],
  ExposeInvalidFormat: ['FROM scratch\nEXPOSE 127.0.0.1:80:80\n', 'FROM scratch\nEXPOSE 80-90/udp\n'],
  ExposeProtoCasing: ['FROM scratch\nEXPOSE 80/TCP\n', 'FROM scratch\nEXPOSE 80/tcp\n'],
  FromAsCasing: ['FROM scratch as a\n', 'from scratch as a\n'],
  FromPlatformFlagConstDisallowed: [
    'FROM --platform=linux/arm64 scratch\n',
    'FROM --platform=linux/arm64 scratch AS app-arm64\nFROM --platform=$BUILDPLATFORM a\n',
  ],
  InvalidBaseImagePlatform: ['FROM other\n', 'FROM same\n'],
  InvalidDefaultArgInFrom: ['ARG TAG\nFROM img:$TAG\n', 'ARG TAG=1\nFROM img:$TAG\n'],
  InvalidDefinitionDescription: [
    'FROM scratch\n# about it\nARG A B\n',
    '# a is first\nFROM scratch AS a\n# note\n#\nARG A\n',
  ],
  JSONArgsRecommended: [
    'FROM scratch\nCMD a\n',
    'FROM scratch\nCMD ["a"]\nSHELL ["b"]\nENTRYPOINT c\nRUN d\n',
  ],
  LegacyKeyValueFormat: ['FROM scratch\nENV a b\nLABEL c d\n', 'FROM scratch\nENV a=b\n'],
  MaintainerDeprecated: ['FROM scratch\nMAINTAINER me\n', 'FROM scratch\nLABEL maintainer=me\n'],
  MultipleInstructionsDisallowed: [
    'FROM scratch\nCMD ["a"]\nCMD ["b"]\n',
    'FROM scratch AS a\nCMD ["a"]\nFROM a\nCMD ["b"]\n',
  ],
  NoEmptyContinuation: ['FROM scratch\nRUN a \\\n\n  b\n', 'FROM scratch\nRUN a \\\n  # c\n  b\n'],
  RedundantTargetPlatform: ['FROM --platform=$TARGETPLATFORM scratch\n', 'FROM scratch\n'],
  ReservedStageName: ['FROM scratch AS scratch\n', 'FROM scratch AS scratches\n'],
  SecretsUsedInArgOrEnv: [
    'FROM scratch\nARG GITHUB_TOKEN\nENV apikey=1\n',
    'FROM scratch\nARG TOKEN_FILE\nENV PUBLIC_KEY=1 MONKEY=2\n',
  ],
  StageNameCasing: ['FROM scratch AS Base\n', 'FROM scratch AS base\n'],
  UndefinedArgInFrom: ['ARG VERSION=1\nFROM img:1$VERSIOM\n', 'ARG VERSION=1\nFROM img:$VERSION\n'],
  UndefinedVar: [
    'FROM scratch\nARG PORT=1\nEXPOSE 8$PRT\nLABEL a=$PAHT\n',
    "FROM unknown\nLABEL a=$ANY\nFROM scratch\nARG A\nLABEL a=$A b=$PATH c='$x'\n",
  ],
  WorkdirRelativePath: [
    'FROM scratch\nWORKDIR a\nWORKDIR b\n',
    'FROM scratch AS a\nWORKDIR /a\nFROM a\nWORKDIR b\n',
  ],
}

const input: Partial<LintInput> = {
  ignore: new IgnoreMatcher(['*.md']),
  baseImage: (name) =>
    name === 'unknown'
      ? undefined
      : {
          environment: [],
          shell: false,
          platform: { ...amd64, architecture: name === 'other' ? 's390x' : 'amd64' },
        },
}

describe('lint()', () => {
  for (const rule of Object.keys(rules) as RuleName[]) {
    it(`finds ${rule}, and does not where there is none`, () => {
      const [wrong, right] = pairs[rule].map((text) =>
        found(`# check=experimental=all\n${text}`, input, { TAG: '2' }).filter((line) =>
          line.includes(` ${rule}: `),
        ),
      )
      assert.notDeepEqual(wrong, [])
      assert.deepEqual(right, [])
    })
  }

  it('finds what Docker 28.5 finds', () => {
    const text = readFileSync(join(GOLDEN, 'checks/Dockerfile'), 'utf8')
    const expected = readFileSync(join(GOLDEN, 'checks/docker.txt'), 'utf8').trimEnd().split('\n')
    const ignore = new IgnoreMatcher(['ignored'])
    // Docker tells an empty line by the end of its instruction, berth by itself.
    const ours = found(text, { ignore }).map((line) => line.replace(/^14 NoEmpty/, '15 NoEmpty'))
    assert.deepEqual(ours.toSorted(), expected.toSorted())
  })

  it('suggests what may be meant', () => {
    assert.deepEqual(found(pairs.UndefinedVar[0]), [
      "3 UndefinedVar: Usage of undefined variable '$PRT' (did you mean $PORT?)",
      "4 UndefinedVar: Usage of undefined variable '$PAHT' (did you mean $PATH?)",
    ])
    assert.match(
      found(pairs.UndefinedArgInFrom[0])[0] ?? '',
      /FROM argument 'VERSIOM' is not declared \(did you mean VERSION\?\)/,
    )
  })

  it('shows the line', () => {
    const [warning] = check('FROM scratch\nMAINTAINER me\n').warnings
    assert.equal(warning?.excerpt.split('\n')[3], '   2 | >>> MAINTAINER me')
  })

  it('skips and enables what the directive says, and the argument before it', () => {
    const text = 'FROM scratch\nMAINTAINER me\nENV a b\n'
    assert.equal(found(text).length, 2)
    assert.equal(found(`# check=skip=MaintainerDeprecated\n${text}`).length, 1)
    assert.equal(found(`# check=skip=MaintainerDeprecated,LegacyKeyValueFormat\n${text}`).length, 0)
    assert.equal(found(`# check=skip=maintainerdeprecated\n${text}`).length, 2)
    assert.equal(found(`# check=skip=all\n${text}`).length, 0)
    assert.equal(check(text, {}, { BUILDKIT_DOCKERFILE_CHECK: 'skip=all' }).warnings.length, 0)
    assert.deepEqual(
      [`# check=error=true\n${text}`, `# check=skip=all;error=true\n${text}`, text].map(
        (each) => check(each).fatal,
      ),
      [true, false, false],
    )
    for (const wrong of ['nonsense', 'a=b', 'error=maybe'])
      assert.throws(
        () => check(`# check=${wrong}\n${text}`),
        (error) => isKind(error, 'invalid_argument'),
      )
  })

  it('looks at the stages that are built, if told', () => {
    const text = 'FROM scratch\nMAINTAINER me\nFROM scratch\nMAINTAINER me\n'
    assert.deepEqual(found(text, { stages: new Set([1]) }).length, 1)
  })
})

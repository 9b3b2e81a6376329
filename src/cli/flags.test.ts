import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { bool, bytes, duration, filter, integer, list, map, parseFlags, string } from './flags.ts'

const specs = {
  all: bool('', { short: 'a' }),
  detach: bool('', { short: 'd' }),
  env: list('', { short: 'e' }),
  filter: filter(),
  interval: duration(''),
  label: map(''),
  last: integer('', { short: 'n' }),
  memory: bytes('', { short: 'm' }),
  name: string(''),
  proxy: bool('', { initial: true }),
} as const

function parse(argv: readonly string[], interspersed = true): ReturnType<typeof parseFlags<typeof specs>> {
  return parseFlags(specs, argv, { interspersed })
}

describe('parseFlags()', () => {
  it('reads every spelling of a value', () => {
    for (const argv of [
      ['-n', '3'],
      ['-n3'],
      ['-n=3'],
      ['--last', '3'],
      ['--last=3'],
      ['-adn3'],
      ['-ad', '-n', '3'],
    ]) {
      assert.equal(parse(argv).flags.last, 3, argv.join(' '))
    }
    assert.deepEqual(parse(['-ade', 'A=1', '-eB', '--env=']).flags.env, ['A=1', 'B', ''])
  })

  it('reads switches, and switches with a value', () => {
    const { flags, changed } = parse(['-ad', '--proxy=false', '--detach=0'])
    assert.deepEqual([flags.all, flags.detach, flags.proxy], [true, false, false])
    assert.deepEqual([...changed], ['all', 'detach', 'proxy'])
    assert.deepEqual(parse(['-a', 'false']).args, ['false'])
  })

  it('stops at the first argument unless flags may stand between arguments', () => {
    assert.deepEqual(parse(['-a', 'image', '-d', 'x'], false).args, ['image', '-d', 'x'])
    assert.deepEqual(parse(['-a', 'image', '-d', 'x']).args, ['image', 'x'])
    assert.deepEqual(parse(['--', '-a', '--', 'x']).args, ['-a', '--', 'x'])
    assert.deepEqual(parse(['-', 'x']).args, ['-', 'x'])
  })

  it('says what is wrong as pflag says it', () => {
    const errors: Record<string, string> = {
      '--foo': 'unknown flag: --foo',
      '--foo=1': 'unknown flag: --foo',
      '-axd': "unknown shorthand flag: 'x' in -xd",
      '--name': 'flag needs an argument: --name',
      '-n': "flag needs an argument: 'n' in -n",
      '--=x': 'bad flag syntax: --=x',
      '-nx': 'invalid argument "x" for "-n, --last" flag: strconv.ParseInt: parsing "x": invalid syntax',
      '--all=maybe':
        'invalid argument "maybe" for "-a, --all" flag: strconv.ParseBool: parsing "maybe": invalid syntax',
      '-m1x': `invalid argument "1x" for "-m, --memory" flag: invalid size: '1x'`,
      '--interval=5': 'invalid argument "5" for "--interval" flag: time: missing unit in duration "5"',
      '-fx': 'invalid argument "x" for "-f, --filter" flag: bad format of filter (expected name=value)',
    }
    for (const [word, message] of Object.entries(errors))
      assert.throws(() => parse([word]), { message }, word)
  })

  it('asks for help with --help, and with -h where nothing else has that letter', () => {
    assert.equal(parse(['--help', '--foo']).help, true)
    assert.equal(parse(['-h']).help, true)
    assert.equal(
      parseFlags({ host: string('', { short: 'h' }) }, ['-hx'], { interspersed: true }).flags.host,
      'x',
    )
  })

  it('gives back every text it was given, in every spelling', () => {
    const spelling = fc.constantFrom('-e', '-e=', '--env=', '-ae', '--env')
    fc.assert(
      fc.property(fc.array(fc.tuple(spelling, fc.string())), fc.array(fc.string()), (given, rest) => {
        const argv = given.flatMap(([how, text]) => (how.endsWith('=') ? [how + text] : [how, text]))
        const { flags, args } = parse([...argv, '--', ...rest])
        assert.deepEqual(
          flags.env,
          given.map(([, text]) => text),
        )
        assert.deepEqual(args, rest)
      }),
    )
  })

  it('collects filters and maps by key', () => {
    const { flags } = parse([
      '-f',
      'label=a=b',
      '-f',
      'Label = c',
      '-f',
      'name=x',
      '--label',
      'k=1',
      '--label',
      'k=2',
      '--label',
      'z',
    ])
    assert.deepEqual(flags.filter, { label: ['a=b', 'c'], name: ['x'] })
    assert.deepEqual(flags.label, { k: '2', z: '' })
  })
})

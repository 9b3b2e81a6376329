import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { headerFunctions } from './functions.ts'
import { Template } from './template.ts'
import { view } from './view.ts'

const document = {
  Name: '/web',
  Args: ['-g', 'x'],
  Config: { Labels: { a: 'b', 'x.y': 'z' }, Env: null },
  State: { Status: 'running', Pid: 42, Running: true },
  Big: 1700000000123456789n,
  Ports: { '80/tcp': [{ HostPort: '8080' }], '443/tcp': null },
}

function render(source: string, data: unknown = document, options = {}): string {
  return new Template(source, options).execute(data)
}

/** What Go's text/template (through the docker command line) gives for the same text and data. */
const results: Record<string, string> = {
  '{{.Name}}': '/web',
  '{{ .State.Pid }}|{{.Big}}': '42|1700000000123456789',
  '{{.Args}} {{.Config.Labels}}': '[-g x] map[a:b x.y:z]',
  '{{.Nope}}': '<no value>',
  '{{if .State.Running}}yes{{else}}no{{end}}': 'yes',
  '{{if not .State.Running}}a{{else if eq .State.Status "running"}}b{{else}}c{{end}}': 'b',
  '{{range .Args}}<{{.}}>{{end}}': '<-g><x>',
  '{{range $i, $v := .Args}}{{$i}}={{$v}} {{end}}': '0=-g 1=x ',
  '{{range $k, $v := .Config.Labels}}{{$k}}={{$v}};{{end}}': 'a=b;x.y=z;',
  '{{range .Config.Env}}x{{else}}none{{end}}': 'none',
  '{{range .Args}}{{if eq . "x"}}{{break}}{{end}}{{.}}{{end}}': '-g',
  '{{range 3}}{{if eq . 1}}{{continue}}{{end}}{{.}}{{end}}': '02',
  '{{with .State}}{{.Status}} {{$.Name}}{{end}}': 'running /web',
  '{{with $x := .Name}}{{$x}}{{end}}': '/web',
  '{{$x := 1}}{{$x}}{{$x = 2}}{{$x}}': '12',
  '{{index .Config.Labels "x.y"}}|{{index .Config.Labels "none"}}|{{index .Args 1}}': 'z||x',
  '{{range $p, $c := .Ports}}{{$p}}{{with $c}}->{{(index . 0).HostPort}}{{end}} {{end}}':
    '443/tcp 80/tcp->8080 ',
  '{{len .Args}} {{len .Name}} {{slice .Name 1 3}}': '2 4 we',
  '{{json .State}}': '{"Status":"running","Pid":42,"Running":true}',
  '{{json "<a>&"}} {{json nil}} {{json .Big}}': '"<a>&" null 1700000000123456789',
  '{{upper .Name}} {{.Name | lower | title}} {{join .Args ","}} {{split "a:b" ":"}}': '/WEB /Web -g,x [a b]',
  '{{pad "x" 1 2}}|{{truncate "abcdef" 3}}|{{truncate "ab" 3}}': ' x  |abc|ab',
  '{{printf "%s %d %v %q %5d|%-5s|%05d|%.2f|%x|%t|%%" "a" 1 true "q" 42 "x" 7 1.5 255 false}}':
    'a 1 true "q"    42|x    |00007|1.50|ff|false|%',
  '{{printf "%d" "x"}} {{printf "%s"}} {{printf "x" 1}}': '%!d(string=x) %!s(MISSING) x%!(EXTRA int=1)',
  '{{print 1 2 "x" 3}} {{println "a" 1}}': '1 2x3 a 1\n',
  '{{eq 1 2 1}} {{ne 1 2}} {{lt 1 2}} {{ge "b" "a"}} {{and 1 0}} {{or "" "x"}} {{and true .Name}}':
    'true true true true 0 x /web',
  '{{html "<a>"}} {{urlquery "a b&c"}} {{js "it\'s"}}': "&lt;a&gt; a+b%26c it\\'s",
  'a {{- "b" -}} c {{/* no */}}{{- /* more */ -}} d': 'abc d',
  '{{\'a\'}} {{`raw\\n`}} {{"t\\tx"}} {{-3}} {{1.5}} {{0x1f}}': '97 raw\\n t\tx -3 1.5 31',
  '{{(index .Args 0)}}{{(printf "%s" .Name) | len}}': '-g4',
}

/** What Go says about these. */
const errors: Record<string, string> = {
  '{{.Name': 'template: :1: unclosed action',
  '{{foo}}': 'template: :1: function "foo" not defined',
  '{{end}}': 'template: :1: unexpected {{end}}',
  '{{if .Name}}': 'template: :1: unexpected EOF',
  '{{if}}x{{end}}': 'template: :1: missing value for if',
  '{{}}': 'template: :1: missing value for command',
  '{{"a}}': 'template: :1: unterminated quoted string',
  '{{$x}}': 'template: :1: undefined variable "$x"',
  '{{range .}}{{$v := 1}}{{end}}{{$v}}': 'template: :1: undefined variable "$v"',
  'a\n{{break}}': 'template: :2: {{break}} outside {{range}}',
  '{{.State.Status.X}}': `template: :1:8: executing "" at <.State.Status.X>: can't evaluate field X in type string`,
  '{{index .Args 5}}':
    'template: :1:2: executing "" at <index .Args 5>: error calling index: index out of range: 5',
  '{{.Config.Env.X}}':
    'template: :1:9: executing "" at <.Config.Env.X>: nil pointer evaluating interface {}.X',
  '{{.Name "x"}}': 'template: :1:2: executing "" at <.Name>: Name is not a method but has arguments',
  '{{upper 1}}':
    'template: :1:2: executing "" at <upper 1>: error calling upper: wrong type for value; expected string; got int',
  '{{lt 1 "a"}}':
    'template: :1:2: executing "" at <lt 1 "a">: error calling lt: incompatible types for comparison',
}

describe('Template', () => {
  it('gives what Go gives', () => {
    for (const [source, expected] of Object.entries(results)) assert.equal(render(source), expected, source)
  })

  it('fails with the words of Go', () => {
    for (const [source, message] of Object.entries(errors))
      assert.throws(() => render(source), { message }, source)
  })

  it('copies text without actions', () => {
    const text = fc.string().filter((each) => !each.includes('{{'))
    fc.assert(fc.property(text, (source) => assert.equal(render(source), source)))
  })

  it('never fails otherwise than with an error about the template', () => {
    const word = fc.constantFrom(
      '{{',
      '}}',
      '{{-',
      '-}}',
      ' ',
      '.',
      '.Name',
      '$x',
      ':=',
      '=',
      '|',
      '(',
      ')',
      '"a"',
      'if',
      'range',
      'end',
      'else',
      'with',
      'len',
      'index',
      '1',
      'x',
      '/*',
      '*/',
      '`',
      ',',
    )
    fc.assert(
      fc.property(fc.array(word), (words) => {
        try {
          render(words.join(''))
        } catch (error) {
          assert.match(String(error), /^EngineError: template: :\d+/)
        }
      }),
      { numRuns: 2000 },
    )
  })

  it('reads fields and methods of a view, and sorts and escapes its JSON', () => {
    const container = view('*formatter.ContainerContext', {
      Ports: () => '80->80',
      ID: () => 'abc',
      Label: (key: string) => `<${key}>`,
    })
    assert.equal(
      render('{{.ID}} {{.Label "a"}} {{json .}}', container),
      'abc <a> {"ID":"abc","Ports":"80-\\u003e80"}',
    )
    assert.throws(() => render('{{.Nope}}', container), {
      message: `template: :1:2: executing "" at <.Nope>: can't evaluate field Nope in type *formatter.ContainerContext`,
    })
    assert.throws(() => render('{{.Label}}', container), /wrong number of args for Label: want 1 got 0/)
  })

  it('knows which fields may be missing', () => {
    const options = { optionalFields: new Set(['Health']), mapFields: new Set(['Labels']) }
    assert.equal(
      render('{{if .State.Health}}x{{else}}none{{end}} {{.Config.Labels.zz}}', document, options),
      'none <no value>',
    )
    assert.equal(render('{{.Config.Labels.zz.Deep}}', document, options), '<no value>')
    assert.throws(() => render('{{.State.Foo}}', document, options), {
      message: 'template: :1:8: executing "" at <.State.Foo>: map has no entry for key "Foo"',
    })
  })

  it('takes the names that Go has for fields of JSON, and knows what is left out', () => {
    const options = { optionalFields: new Set(['StopSignal', 'NetworkDisabled', 'Name']) }
    const data = { Id: 'abc', Config: {}, Ports: [{ HostIp: '::' }], HostConfig: { Dns: ['1.1.1.1'] } }
    assert.equal(
      render('{{.ID}} {{.Id}} {{(index .Ports 0).HostIP}} {{.HostConfig.DNS}}', data, options),
      'abc abc :: [1.1.1.1]',
    )
    assert.equal(
      render('{{.Config.StopSignal}}|{{.Config.NetworkDisabled}}|{{json .Config.Name}}', data, options),
      '|false|""',
    )
  })

  it('leaves titles alone in a header', () => {
    const titles = view('h', { Names: () => 'NAMES' })
    assert.equal(
      render('{{upper .Names}} {{truncate .Names 2}} {{json .Names}}', titles, {
        functions: headerFunctions,
      }),
      'NAMES NAMES NAMES',
    )
  })
})

describe('a document of the API', () => {
  const container = {
    Mounts: [{ Type: 'bind', Source: '/a', Destination: '/b', Mode: '', RW: true, Propagation: 'rprivate' }],
    HostConfig: {
      Binds: null,
      Memory: 0,
      PidsLimit: null,
      RestartPolicy: { Name: 'on-failure', MaximumRetryCount: 3 },
      PortBindings: { '80/tcp': [{ HostIp: '', HostPort: '8080' }] },
      LogConfig: { Type: 'json-file', Config: {} },
      Ulimits: [{ Name: 'nofile', Hard: 2, Soft: 1 }],
    },
    Config: {
      Volumes: null,
      Entrypoint: null,
      Labels: { a: 'b' },
      ExposedPorts: { '80/tcp': {} },
      Healthcheck: { Test: ['CMD', 'x'], Interval: 90_500_000_000 },
    },
    NetworkSettings: { Ports: { '80/tcp': [{ HostIp: '::', HostPort: '8080' }], '81/tcp': null } },
  }
  const options = {
    optionalFields: new Set(['Health', 'StopTimeout']),
    mapFields: new Set(['Labels', 'Ports']),
  }

  /** What Docker's command line prints of it. */
  const printed: Readonly<Record<string, string>> = {
    '{{.Mounts}}': '[{bind  /a /b   true rprivate}]',
    '{{range .Mounts}}{{.}}{{end}}': '{bind  /a /b   true rprivate}',
    '{{.HostConfig.Binds}} {{len .HostConfig.Binds}} {{json .HostConfig.Binds}}': '[] 0 null',
    '{{.HostConfig.PidsLimit}} {{.HostConfig.Memory}}': '<nil> 0',
    '{{.HostConfig.RestartPolicy}} {{.HostConfig.LogConfig}}': '{on-failure 3} {json-file map[]}',
    '{{.HostConfig.PortBindings}} {{.HostConfig.Ulimits}}': 'map[80/tcp:[{ 8080}]] [nofile=1:2]',
    '{{.Config.Volumes}} {{.Config.Entrypoint}} {{.Config.ExposedPorts}}': 'map[] [] map[80/tcp:{}]',
    '{{.Config.Labels}} {{.Config.Labels.none}}': 'map[a:b] <no value>',
    '{{.Config.Healthcheck}} {{.Config.Healthcheck.Interval}}': '{[CMD x] 1m30.5s 0s 0s 0s 0} 1m30.5s',
    '{{.NetworkSettings.Ports}}': 'map[80/tcp:[{:: 8080}] 81/tcp:[]]',
    '{{.Config.StopTimeout}}{{if .Config.Healthcheck.Health}}x{{end}}': '<nil>',
  }
  for (const [source, text] of Object.entries(printed)) {
    it(`${source} is ${text}`, () => assert.equal(render(source, container, options), text))
  }
})

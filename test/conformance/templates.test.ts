/**
 * The template language of `--format` is that of Docker's command line: both evaluate the same templates, some by hand and some
 * by chance, over the same document. The document is the status of a volume, which may hold anything.
 */
import assert from 'node:assert/strict'
import { execFile, spawnSync } from 'node:child_process'
import { after, before, describe, it } from 'node:test'
import fc from 'fast-check'
import { isKind } from '#base/errors.ts'
import { Template } from '#cli/format/template/template.ts'
import { ScriptedEngine } from '#test/support/scripted-engine.ts'

const absent =
  spawnSync('docker', ['--version']).status !== 0 && "Docker's command line is not on this machine"

const metadata = {
  Description: 'a <b> & "c"',
  Name: 'web-1',
  Count: 42,
  Half: 0.5,
  Big: 1e21,
  Yes: true,
  No: false,
  Nothing: null,
  Empty: '',
  List: ['one', 'two', 'three'],
  None: [],
  Map: { b: 'beta', a: 'alpha', 'x.y': 'dotted' },
  Deep: {
    List: [
      { Port: 80, Name: 'http' },
      { Port: 443, Name: 'https' },
    ],
    Flag: true,
  },
}

/** What people write, and what they get wrong. `M` stands for `.Status`. */
const byHand: readonly string[] = [
  '{{M.Name}} {{M.Count}} {{M.Half}} {{M.Yes}} {{M.Nothing}} {{M.Missing}} {{M.Empty}}|',
  '{{M.List}} {{M.None}} {{M.Map}} {{M.Deep}}',
  '{{json M.Description}} {{json M.List}} {{json M.Nothing}}',
  '{{if M.Yes}}a{{else}}b{{end}}{{if M.No}}a{{else if M.Count}}c{{else}}b{{end}}{{if not M.Empty}}d{{end}}',
  '{{range M.List}}<{{.}}>{{end}}{{range M.None}}x{{else}}none{{end}}',
  '{{range $i, $v := M.List}}{{if $i}}, {{end}}{{$i}}:{{$v}}{{end}}',
  '{{range $k, $v := M.Map}}{{$k}}={{$v}};{{end}}',
  '{{range M.Deep.List}}{{.Name}}={{.Port}} {{$.Name}};{{end}}',
  '{{with M.Deep}}{{.Flag}}{{with .Missing}}x{{else}}y{{end}}{{end}}',
  '{{with $x := M.Name}}{{$x}}{{end}}{{$y := 1}}{{$y}}{{$y = 2}}{{$y}}',
  '{{index M.List 1}} {{index M.Map "x.y"}} {{(index M.Deep.List 1).Name}} {{index M.Deep "List" 0 "Port"}}',
  '{{len M.List}} {{len M.Name}} {{len M.Map}} {{slice M.Name 1 3}}',
  '{{upper M.Name}} {{lower "ABC"}} {{title "hello world"}} {{join (split "a-b-c" "-") "+"}} {{split M.Name "-"}}',
  '{{pad M.Name 2 3}}|{{truncate M.Name 3}}|{{truncate M.Name 30}}|{{pad M.Empty 2 2}}|',
  '{{println M.Name 1}}{{print 1 2 "x" 3 "y" true}} {{print M.Name M.Name}}',
  '{{printf "%s|%10s|%-10s|%.2s|%q|%x" M.Name M.Name M.Name M.Name M.Name M.Name}}',
  '{{printf "%v|%t|%5t" M.Yes M.No true}} {{printf "%d|%5d|%-5d|%05d|%+d|%x|%o|%b|%c" 42 42 42 42 42 42 42 42 65}}',
  '{{printf "%v|%.2f|%8.3f|%e|%g" M.Half 1.5 2.25 1.5 0.1}} {{printf "%%|%T|%T|%T|%T" 1 "a" true M.List}}',
  '{{printf "%d" "x"}} {{printf "%s"}} {{printf "x" 1}} {{printf "%s %s" "a"}} {{printf "%!"}} {{printf "%s" M.List}}',
  '{{eq 1 1}} {{eq M.Name "web-1"}} {{eq 1 2 1}} {{ne "a" "b"}} {{lt 1 2}} {{le 2 2}} {{gt "b" "a"}} {{ge 1 2}}',
  '{{and 1 0 2}} {{and 1 "x"}} {{or 0 "" "z"}} {{or 0 ""}}| {{not 1}} {{not 0}} {{and M.Yes (not M.No)}}',
  '{{M.Name | upper | printf "%s!"}} {{"q" | printf "%s-%s" "p"}} {{M.List | len | printf "%03d"}}',
  '{{html M.Description}} {{js M.Description}} {{urlquery M.Description}} {{"<x>" | html}}',
  'a {{- " b " -}} c {{/* no */}}{{- /* no */ -}} d\n{{- "e"}}',
  "{{`raw\\n`}} {{\"t\\tx\\u00e9\\x41\"}} {{'a'}} {{'\\n'}} {{0x1F}} {{0b11}} {{0o17}} {{1_000}} {{1e3}} {{-5}} {{1.50}} {{true}} {{nil | json}}",
  '{{range M.List}}{{if eq . "two"}}{{continue}}{{end}}{{.}}{{end}} {{range M.List}}{{if eq . "two"}}{{break}}{{end}}{{.}}{{end}}',
  '{{range 3}}{{.}}{{end}}',
  '{{define "T"}}<{{.}}>{{end}}{{template "T" M.Name}}{{range M.List}}{{template "T" .}}{{end}}',
  '{{block "B" M.Name}}[{{.}}]{{end}}',
  '{{define "A"}}x{{end}}{{define "B"}}{{template "A"}}y{{end}}{{template "B"}}',
  '{{(M.Name)}} {{((len M.List))}} {{(index M.List 0) | upper}} {{len (slice M.List 1)}}',
  '{{$.Name}}|{{.Name}}',
  '{{ .Name }}{{.Name -}}   x   {{- .Name}}',
  // Mistakes.
  '{{',
  '{{.Name',
  '{{end}}',
  '{{if}}x{{end}}',
  '{{if .Name}}',
  '{{else}}',
  '{{}}',
  '{{foo}}',
  '{{.Name | }}',
  '{{"a}}',
  '{{$x}}',
  '{{.Name.Nope}}',
  '{{index M.List 9}}',
  '{{index M.List "a"}}',
  '{{index M.Name 0}}',
  '{{len 3}}',
  '{{upper 3}}',
  '{{join "a" "b"}}',
  '{{truncate M.Name}}',
  '{{slice M.Name 9}}',
  '{{eq M.Name 1}}',
  '{{lt "a" 1}}',
  '{{range M.Name}}x{{end}}',
  '{{template "none"}}',
  '{{break}}',
  '{{1 | 2}}',
  '{{M.Name 1}}',
  '{{nil}}',
  '{{.}}{{unknown .}}',
  '{{with}}{{end}}',
  '{{range $a, $b, $c := M.List}}{{end}}',
  '{{if .Name}}a{{else}}b{{else}}c{{end}}',
]

const volume = { Name: 'data', Driver: 'local', Labels: {}, Status: metadata }
let engine: ScriptedEngine
before(async () => {
  engine = await ScriptedEngine.start({ '/volumes/data': { json: volume } })
})
after(() => engine[Symbol.asyncDispose]())

interface Said {
  readonly out: string
  readonly failed: boolean
}

const spelled = (template: string): string => template.replaceAll(/(?<![\w.])M\./g, '.Status.')

function docker(template: string): Promise<Said> {
  const env = { PATH: process.env['PATH'], HOME: '/nonexistent', DOCKER_HOST: engine.host }
  return new Promise((resolve) => {
    execFile('docker', ['volume', 'inspect', '-f', spelled(template), 'data'], { env }, (error, stdout) => {
      resolve({ out: error === null ? stdout : '', failed: error !== null })
    })
  })
}

function berth(template: string): Said {
  try {
    return { out: `${new Template(spelled(template)).execute(volume)}\n`, failed: false }
  } catch (error) {
    if (!isKind(error, 'invalid_argument')) throw error
    return { out: '', failed: true }
  }
}

describe('templates', { skip: absent }, () => {
  for (const template of byHand) {
    it(template.replaceAll('\n', '\\n'), async () => {
      assert.deepEqual(berth(template), await docker(template))
    })
  }

  it('by chance', async () => {
    const text = fc.constantFrom('x', ' - ', '\n', '|')
    const { expression } = fc.letrec<{ expression: string }>((tie) => ({
      expression: fc.oneof(
        { maxDepth: 3, withCrossShrink: true },
        fc.constantFrom(
          'M.Name',
          'M.List',
          'M.Map',
          'M.Deep.Flag',
          'M.Yes',
          'M.Missing',
          'M.Empty',
          '3',
          '"s"',
        ),
        fc
          .tuple(
            fc.constantFrom('len', 'not', 'json', 'print', 'println', 'upper', 'title', 'html'),
            tie('expression'),
          )
          .map(([name, inner]) => `(${name} ${inner})`),
        fc
          .tuple(
            fc.constantFrom('eq', 'ne', 'and', 'or', 'lt', 'split', 'printf "%v-%v"'),
            tie('expression'),
            tie('expression'),
          )
          .map(([name, a, b]) => `(${name} ${a} ${b})`),
      ),
    }))
    const { nodes } = fc.letrec<{ nodes: string; node: string }>((tie) => ({
      node: fc.oneof(
        { maxDepth: 3 },
        text,
        expression.map((each) => `{{${each}}}`),
        expression.map((each) => `{{${each} | printf "%s"}}`),
        fc
          .tuple(expression, tie('nodes'), tie('nodes'))
          .map(([e, a, b]) => `{{if ${e}}}${a}{{else}}${b}{{end}}`),
        fc.tuple(expression, tie('nodes')).map(([e, a]) => `{{with ${e}}}${a}{{end}}`),
        fc.tuple(expression, tie('nodes')).map(([e, a]) => `{{range $k, $v := ${e}}}{{$k}}${a}{{$v}}{{end}}`),
      ),
      nodes: fc.array(tie('node'), { maxLength: 3 }).map((all) => all.join('')),
    }))
    await fc.assert(
      fc.asyncProperty(
        nodes.filter((template) => template !== ''),
        async (template) => {
          assert.deepEqual(berth(template), await docker(template), template)
        },
      ),
      { numRuns: 150 },
    )
  })
})

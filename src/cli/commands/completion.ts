import { command } from '../command.ts'
import { commandError } from '../errors.ts'

const scripts: Readonly<Record<string, string>> = {
  bash: `# bash completion for berth; put it in place with:  source <(berth completion bash)
_berth() {
  local line typed=\${COMP_LINE:0:COMP_POINT} word before
  local -a words
  # Not COMP_WORDS, which is cut at every colon and equals sign.
  read -ra words <<< "$typed"
  [[ $typed == *[[:space:]] ]] && words+=('')
  word=\${words[\${#words[@]}-1]}
  # Bash puts what is offered in place of what stands after the last of these.
  before=\${word%"\${word##*[:=]}"}
  COMPREPLY=()
  while IFS= read -r line; do
    case $line in
      :files) compopt -o default 2>/dev/null; return ;;
      "$word"*) line=\${line%%$'\\t'*}; COMPREPLY+=("\${line#"$before"}") ;;
    esac
  done < <(berth __complete -- "\${words[@]:1}" 2>/dev/null)
}
complete -F _berth berth
`,
  zsh: `#compdef berth
# zsh completion for berth; put it in place with:  source <(berth completion zsh)
_berth() {
  local -a found
  local line
  while IFS= read -r line; do
    if [[ $line == :files ]]; then _files; return; fi
    found+=("\${\${line//:/\\\\:}/$'\\t'/:}")
  done < <(berth __complete -- "\${(@)words[2,CURRENT]}" 2>/dev/null)
  _describe 'berth' found
}
compdef _berth berth
`,
  fish: `# fish completion for berth; put it in place with:  berth completion fish | source
function __berth_complete
  set -l words (commandline -opc)[2..-1] (commandline -ct)
  for line in (berth __complete -- $words 2>/dev/null)
    if test "$line" = ":files"
      __fish_complete_path (commandline -ct)
    else
      echo $line
    end
  end
end
complete -c berth -f -a '(__berth_complete)'
`,
}

export default command({
  usage: 'bash|zsh|fish',
  summary: 'Print a completion script for a shell',
  min: 1,
  max: 1,
  completes: Object.keys(scripts),
  flags: {},
  async run({ args: [shell = ''] }, { out }) {
    const script = scripts[shell]
    if (script === undefined) throw commandError(`there is no completion for ${shell}; use bash, zsh or fish`)
    out(script)
    await Promise.resolve()
  },
})

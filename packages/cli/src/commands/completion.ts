import { CliError } from "../cli-error.ts";
import type { Command } from "../command.ts";
import { programName } from "../help.ts";

const shells = ["bash", "zsh", "fish"] as const;

export const completion: Command = {
  name: "completion",
  operands: shells.join("|"),
  operandChoices: shells,
  description: [
    "bash: source <(caracal completion bash)",
    "zsh:  source <(caracal completion zsh)",
    "fish: caracal completion fish | source",
  ].join("\n"),
  options: [],
  run: async (ctx, { positional }) => {
    const shell = shells.find((name) => name === positional[0]);
    if (shell === undefined || positional.length > 1) {
      throw new CliError(`completion needs the name of a shell: ${shells.join(", ")}`);
    }
    const programs = [...new Set([programName(ctx.guise), "caracal", "calicoctl"])].filter(
      (name) => !name.includes(" "),
    );
    ctx.stdout.write(scripts[shell](programs));
    return 0;
  },
};

/**
 * Each script asks the program what may follow (`__complete WORD…`): a word a line, and last a colon and a number: 0 where files fit
 * too, 6 where no blank is to follow.
 */
const scripts: Readonly<Record<(typeof shells)[number], (programs: readonly string[]) => string>> = {
  bash: bashScript,
  zsh: zshScript,
  fish: fishScript,
};

/** bash takes what stands after an equals sign for a word of its own, so the line is split anew. */
function bashScript(programs: readonly string[]): string {
  return String.raw`_caracal() {
  local line="\${COMP_LINE:0:COMP_POINT}" current directive
  local -a words
  read -ra words <<<"$line"
  [[ $line == *[[:blank:]] ]] && words+=("")
  current="\${words[\${#words[@]}-1]}"
  mapfile -t COMPREPLY < <("\${words[0]}" __complete "\${words[@]:1}" 2>/dev/null)
  [[ \${#COMPREPLY[@]} -gt 0 ]] || return
  directive="\${COMPREPLY[\${#COMPREPLY[@]}-1]}"
  unset "COMPREPLY[\${#COMPREPLY[@]}-1]"
  [[ $current == --*=* ]] && current="\${current#*=}"
  case "$directive" in
    :0) compopt -o filenames 2>/dev/null
        mapfile -t -O "\${#COMPREPLY[@]}" COMPREPLY < <(compgen -f -- "$current") ;;
    :6) compopt -o nospace 2>/dev/null ;;
  esac
}
complete -F _caracal ${programs.join(" ")}
`.replaceAll("\\$", "$");
}

function zshScript(programs: readonly string[]): string {
  return String.raw`(( $+functions[compdef] )) || { autoload -U compinit && compinit }
_caracal() {
  local -a lines
  lines=("\${(@f)$("\${words[1]}" __complete "\${(@)words[2,CURRENT]}" 2>/dev/null)}")
  local directive="\${lines[-1]}"
  lines=("\${(@)lines[1,-2]}")
  [[ $PREFIX == --*=* ]] && compset -P '*='
  if [[ $directive == :6 ]]; then compadd -S '' -- "\${lines[@]}"; else compadd -- "\${lines[@]}"; fi
  [[ $directive != :0 ]] || _files
}
compdef _caracal ${programs.join(" ")}
`.replaceAll("\\$", "$");
}

function fishScript(programs: readonly string[]): string {
  return String.raw`function __caracal_complete
  set -l words (commandline -opc)
  set -l current (commandline -ct)
  test (count $current) -gt 0; or set current ""
  set -l lines ($words[1] __complete $words[2..-1] $current 2>/dev/null)
  test (count $lines) -gt 0; or return
  set -l directive $lines[-1]
  set -e lines[-1]
  set -l prefix (string match -r -- '^--[^=]+=' $current)
  test (count $prefix) -gt 0; or set prefix ""
  for line in $lines
    echo $prefix$line
  end
  if test "$directive" = ":0"
    __fish_complete_path (string replace -- "$prefix" "" $current) | string replace -r -- '^' "$prefix"
  end
end
${programs.map((program) => `complete -c ${program} -f -a '(__caracal_complete)'`).join("\n")}
`;
}

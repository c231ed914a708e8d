#!/usr/bin/env bash
# Installs into an empty folder, and uses what is there as a user would: the first lines of the README's programs, the command outside of
# the repository, its manual pages and completions, and the examples.
set -euo pipefail
cd "$(dirname "$0")/../.."
prefix=$(mktemp -d)
trap 'rm -rf "$prefix"' EXIT

make -s install PREFIX="$prefix"
export PKG_CONFIG_PATH=$prefix/lib/pkgconfig
[ "$(pkg-config --modversion mixgrpo)" = "$(sed -n 's/^VERSION := //p' Makefile)" ]
if ldd "$prefix/lib/libmixgrpo.so" | grep -iE 'swift|foundation|openblas|png|not found'; then
  echo "error: the installed library needs more than it should" >&2
  exit 1
fi

if ldd "$prefix/bin/mixgrpo" | grep -iE 'swift|foundation|openblas|not found'; then
  echo "error: the installed command needs more than it should" >&2
  exit 1
fi
[ "$("$prefix/bin/mixgrpo" --version)" = "mixgrpo $(sed -n 's/^VERSION := //p' Makefile)" ]

root=$PWD
mkdir "$prefix/clone"
cd "$prefix/clone"
ln -s "$root/examples" examples

# The comment that a program begins with is the command that builds and runs it.
first_line() { sed -n '1s/^\/[*/] \(.*\)$/\1/p' "$1" | sed 's| \*/$||'; }
for program in examples/c/quickstart.c examples/cpp/quickstart.cpp; do
  rm -rf quickstart aligned
  eval "$(first_line "$program")" >lines
  [ "$(tail -n 1 lines)" = "iteration 19: darkness 0.750" ] || { tail -n 1 lines >&2; echo "error: $program prints another number" >&2; exit 1; }
  [ -s aligned/diffusion_pytorch_model.safetensors ]
done
if ./quickstart "$prefix/nothing-here" 2>message; then
  echo "error: a missing model folder was not refused" >&2
  exit 1
fi
grep -q nothing-here message

# The installed examples stand as in the repository.
cd "$prefix/share/doc/mixgrpo"
# shellcheck disable=SC2046
cc -std=c99 -Wall -Wextra -pedantic -Werror examples/c/own_model.c $(pkg-config --cflags --libs mixgrpo) -lm -o "$prefix/own_model"
[ -s examples/base/mixgrpo.json ] && [ -s examples/emoji/OFL.txt ] && [ ! -e examples/lab ]

# The command finds its model anywhere.
mkdir "$prefix/elsewhere"
cd "$prefix/elsewhere"
mixgrpo=$prefix/bin/mixgrpo
printf 'a red circle\na blue square\n' >prompts.txt
"$mixgrpo" align --prompts prompts.txt --reward darkness --iterations 1 --group-size 2 --steps 2 --pictures-every 0 --out run >said 2>&1 ||
  { cat said >&2; exit 1; }
"$mixgrpo" sample 'a red circle' --model run/model --steps 1 --out after.png >said 2>&1
"$mixgrpo" compare --methods mixgrpo --iterations 1 --seeds 1 --prompts 1 --group-size 4 --steps 6 --evaluations 1 --evaluation-steps 1 \
  --evaluation-pictures 1 --only-rewards --out compared >said 2>&1 || { cat said >&2; exit 1; }
"$mixgrpo" align --prompts prompts.txt --reward-program "python3 $prefix/share/doc/mixgrpo/examples/rewards/redness.py" --iterations 1 \
  --group-size 2 --steps 2 --pictures-every 0 --out red >said 2>&1 || { cat said >&2; exit 1; }

# Manual pages have every option of the help and nothing that troff warns of.
for subcommand in '' pretrain align sample compare inspect plan settings; do
  page=$prefix/share/man/man1/mixgrpo${subcommand:+-$subcommand}.1
  "$mixgrpo" $subcommand --help | grep -oE '^ +(-h, )?--[a-z-]+' | grep -oE '\-\-[a-z-]+' | sort -u >options
  [ "$(wc -l <options)" -ge 2 ]
  sed 's/\\-/-/g;s/\\fB//g;s/\\fR//g' "$page" >text
  while read -r option; do grep -q -- "$option" text || { echo "error: $page has no $option" >&2; exit 1; }; done <options
  if command -v groff >/dev/null && [ -n "$(groff -man -Tutf8 -ww "$page" 2>&1 >/dev/null)" ]; then
    echo "error: troff warns of $page" >&2
    exit 1
  fi
done

# Completions: bash offers subcommands, options and values; the scripts of the other shells are read where the shell is here.
completed() { # words of a command line: what bash offers for the last one
  bash -c 'source "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMP_LINE="$*"; COMP_POINT=${#COMP_LINE}; COMP_TYPE=9
    complete=$(complete -p mixgrpo); "$(sed "s/.*-F \([^ ]*\).*/\1/" <<<"$complete")" mixgrpo "${@: -1}" "${@: -2:1}" 2>/dev/null; printf "%s\n" "${COMPREPLY[@]}"' \
    - "$prefix/share/bash-completion/completions/mixgrpo" "$@"
}
completed mixgrpo al | grep -qx 'align *' || { echo "error: bash does not complete al" >&2; exit 1; }
completed mixgrpo align --rew | grep -q -- '--reward-program' || { echo "error: bash does not complete --rew" >&2; exit 1; }
completed mixgrpo align --watchdog st | grep -qx 'stop *' || { echo "error: bash does not complete a value" >&2; exit 1; }
completed mixgrpo align --preset mixgrpo_flash_ | grep -qx 'mixgrpo_flash_star *' || { echo "error: bash does not complete a preset" >&2; exit 1; }
completed mixgrpo sample x --model ru | grep -qx 'run/* *' || { echo "error: bash does not complete a folder" >&2; exit 1; }
grep -q '^#compdef mixgrpo' "$prefix/share/zsh/site-functions/_mixgrpo"
if command -v zsh >/dev/null; then zsh -n "$prefix/share/zsh/site-functions/_mixgrpo"; fi
if command -v fish >/dev/null; then fish -n "$prefix/share/fish/vendor_completions.d/mixgrpo.fish"; fi
echo "installed, linked with pkg-config, and run; the command works elsewhere, with manual pages and completions"

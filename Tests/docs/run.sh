#!/usr/bin/env bash
# Links and names in all Markdown files exist, the drawing is that of its script, and the documentation site is complete: every public
# Swift symbol has a docstring, the tools have no warnings, no link is broken, and each page fits a phone. Each kind of fault is found.
#
# PYTHON: with what `.ci/setup docs` installs. Where no Chromium can be had the pages are not looked at, but not in CI.
set -euo pipefail
cd "$(dirname "$0")/../.."
python=${PYTHON:-python3}
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

python3 Tests/docs/links.py
python3 Tests/docs/names.py
python3 docs/pictures/architecture.py --check
python3 Tests/docs/troubleshooting.py "${MIXGRPO_BUILD:-.build/release}/mixgrpo-command"

# A page with a broken link must be refused with these words.
refuses_link() {
  mkdir "$folder/pages"
  printf '# One heading\n\nA [link](%s), and in code `[none](none.md)`.\n' "$2" > "$folder/pages/page.md"
  if python3 Tests/docs/links.py "$folder/pages" > "$folder/said" 2>&1; then
    echo "error: a broken link was accepted: $2" >&2
    exit 1
  fi
  grep -qF "page.md:3: $2: $1" "$folder/said" || { cat "$folder/said" >&2; exit 1; }
  rm -r "$folder/pages"
}
refuses_link 'no such file' 'missing.md'
refuses_link 'no such heading in page.md' '#another-heading'
refuses_link 'no such heading in page.md' 'page.md#one-heading-1'

# So must a page that names a function which the header does not have.
mkdir "$folder/pages"
echo 'Call `mixgrpo_trainer_fly`, not `mixgrpo_trainer_update`.' > "$folder/pages/page.md"
if said=$(python3 Tests/docs/names.py "$folder/pages"); then
  echo "error: an unknown name was accepted" >&2
  exit 1
fi
[ "$said" = 'page.md: mixgrpo_trainer_fly: no such name' ] || { echo "$said" >&2; exit 1; }
rm -r "$folder/pages"

"$python" docs/site/build.py --build "${MIXGRPO_BUILD:-.build/release}" --out "$folder/site" --keep "$folder/work"
for page in index guides/c c/index c/status-and-errors cpp/trainer python/Trainer python/PyTorch swift/index swift/alignamodel swift/trainer \
  swift/mixgrpoerror cpp/functions troubleshooting command/align rust/index api/mixgrpo/index README; do
  [ -s "$folder/site/$page.html" ] || {
    echo "error: the site has no page $page" >&2
    exit 1
  }
done
status=0
python3 Tests/docs/check_site.py "$folder/site" || status=$?
if [ "$status" = 2 ] && [ -z "${CI:-}" ]; then
  echo "the site was not looked at"
elif [ "$status" != 0 ]; then
  exit 1
fi

# A site with a broken link and a page that is too wide must be refused.
mkdir -p "$folder/bad/api/mixgrpo"
touch "$folder/bad/search.html" "$folder/bad/api/mixgrpo/index.html"
printf '<article><a href="none.html">a</a> <a href="#none">b</a><p style="width: 2000px">c</p></article>' > "$folder/bad/index.html"
if python3 Tests/docs/check_site.py "$folder/bad" > "$folder/said" 2>&1; then
  echo "error: a site with faults was accepted" >&2
  exit 1
fi
faults=('index.html: none.html: no such file' 'index.html: #none: no such place in the page')
[ "$status" = 2 ] || faults+=('index.html at 390 pixels' 'index.html at 1280 pixels')
for fault in "${faults[@]}"; do
  grep -qF "$fault" "$folder/said" || { cat "$folder/said" >&2; exit 1; }
done

# Pages that no topic of the landing page names stand in lists made by docc.
if grep -oE '"title":"(Classes|Structures|Enumerations|Functions|Variables|Protocols)"' "$folder/work/swift/data/documentation/mixgrpo.json"; then
  echo "error: the landing page names not every symbol; add them to Sources/MixGRPO/MixGRPO.docc/MixGRPO.md" >&2
  exit 1
fi

# A module with a fault must be refused with these words.
refuses() {
  printf '%s\n' "$2" > "$folder/Small.swift"
  swiftc -emit-module -module-name Small -emit-module-path "$folder/Small.swiftmodule" "$folder/Small.swift"
  if python3 docs/site/swift_symbols.py --module Small --modules "$folder" --out "$folder/small" > "$folder/said" 2>&1; then
    echo "error: documentation with a fault was taken: $1" >&2
    exit 1
  fi
  grep -q "$1" "$folder/said" || { cat "$folder/said" >&2; exit 1; }
}
refuses 'Small.swift:1: undocumented' 'public func undocumented() {}'
refuses "Parameter 'other' is missing" '/// Adds.
/// - Parameter one: a number.
public func add(_ one: Int, _ other: Int) -> Int { one + other }'
refuses "doesn't exist" '/// See ``Nothing``.
public func refer() {}'

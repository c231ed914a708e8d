#!/usr/bin/env bash
# The wheel works where nothing of ours is installed. Usage: Tests/python/wheel.sh WHEEL
# It needs nothing but what every Linux of its tag has, installs into a fresh environment, and trains there; where the machine
# allows it, the system's OpenBLAS, libpng and Swift are hidden meanwhile.
set -euo pipefail
wheel=$(realpath "$1")
cd "$(dirname "$0")/../.."
root=$PWD
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT

case $wheel in
  *-manylinux_2_*) ;;
  *) echo "error: $wheel has no manylinux tag" >&2; exit 1 ;;
esac
python3 -m zipfile -e "$wheel" "$place/content"
if find "$place/content" -name '*.so*' | grep -v '/mixgrpo/libmixgrpo.so$'; then
  echo "error: expected one library in the wheel, got also the above" >&2
  exit 1
fi
needed=$(readelf -d "$place/content/mixgrpo/libmixgrpo.so" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p')
if grep -vE '^(libc|libm|libstdc\+\+|libgcc_s|ld-linux-[a-z0-9-]+)\.so\.[0-9]+$' <<<"$needed"; then
  echo "error: the wheel's library needs the above" >&2
  exit 1
fi

python3 -m venv "$place/python"
"$place/python/bin/pip" install -q --disable-pip-version-check "$wheel"
sed 's/iterations=20/iterations=2/' examples/python/quickstart.py >"$place/quickstart.py"
mkdir -p "$place/host/examples"
cp -r examples/base "$place/host/examples/base"

cat >"$place/run.sh" <<'RUN'
set -euo pipefail
unset MIXGRPO_LIBRARY PYTHONPATH LD_LIBRARY_PATH
if [ "${1:-}" = hidden ]; then
  for file in /usr/lib/*/lib{openblas,blas,png,png16}.so* /usr/lib/*/openblas-*; do
    if [ -d "$file" ]; then mount -t tmpfs none "$file"; elif [ -e "$file" ]; then mount --bind /dev/null "$file"; fi
  done
  if swift=$(command -v swift); then mount --bind /dev/null "$(realpath "$swift")"; fi
fi
cd "$place/host"
"$place/python/bin/python" -m mixgrpo info
"$place/python/bin/python" "$place/quickstart.py"
RUN
export place
if unshare -rm true 2>/dev/null; then
  unshare -rm bash "$place/run.sh" hidden >"$place/output"
else
  bash "$place/run.sh" >"$place/output"
fi
tail -1 "$place/output"
grep -q "^file *$place/python/lib/.*/mixgrpo/libmixgrpo.so$" "$place/output"
[ -s "$place/host/aligned/diffusion_pytorch_model.safetensors" ]
[ ! -e "$root/aligned" ]
echo "${wheel##*/} installs, needs nothing, and trains"

#!/usr/bin/env bash
# Runs each fuzz target, or those that are named, for so many seconds: fuzz/run.sh SECONDS [TARGET...]
# Fails at the first finding; cargo fuzz prints the command that replays it.
set -euo pipefail
cd "$(dirname "$0")"
seconds=${1:?seconds for each target}
shift
targets=("$@")
if [ "${#targets[@]}" -eq 0 ]; then
  mapfile -t targets < <(cargo fuzz list --fuzz-dir .)
fi
for target in "${targets[@]}"; do
  printf '\n== %s, %s s\n' "$target" "$seconds"
  mkdir -p "corpus/$target"
  seeds=()
  [ -d "seeds/$target" ] && seeds=("seeds/$target")
  cargo fuzz run --fuzz-dir . -s "${HEADWATER_FUZZ_SANITIZER:-none}" "$target" "corpus/$target" "${seeds[@]}" -- \
    -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -print_final_stats=1 -verbosity=0
done

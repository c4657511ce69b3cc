#!/usr/bin/env bash
# Builds all fuzz targets once and runs each, or those that are named, for so many seconds: fuzz/run.sh SECONDS [TARGET...]
#
# As many run at a time as there are processors, or HEADWATER_FUZZ_JOBS. A finding ends the run: what was found is printed, and the
# command that replays it. HEADWATER_FUZZ_SEED=N makes each target try the same inputs in every run, as far as the time
# goes; without it, each run tries others. HEADWATER_FUZZ_SANITIZER=address needs RUSTC_BOOTSTRAP=1 or a nightly toolchain.
set -euo pipefail
cd "$(dirname "$0")"
seconds=${1:?usage: fuzz/run.sh SECONDS [TARGET...]}
shift
targets=("$@")
if [ "${#targets[@]}" -eq 0 ]; then
  mapfile -t targets < <(cd fuzz_targets && ls ./*.rs | sed 's|^./||; s|[.]rs$||')
fi
sanitizer=${HEADWATER_FUZZ_SANITIZER:-none}
seed=${HEADWATER_FUZZ_SEED:-0} # 0: one of libFuzzer's choice
binaries=${CARGO_TARGET_DIR:-target}/$(rustc -vV | sed -n 's/^host: //p')/release

# The lock file is the one that is committed.
cargo metadata --locked --format-version 1 >/dev/null
cargo fuzz build --fuzz-dir . -s "$sanitizer"
rm -rf artifacts/summary
mkdir -p artifacts/summary
"$binaries/seeds" artifacts/seeds

# What a target needs beside its corpus: a dictionary, and how long inputs may be where they are structures.
options() {
  case $1 in
    config_file) echo -dict=dictionaries/config_file.dict ;;
    protocol_parse) echo -dict=dictionaries/protocol.dict ;;
    protocol_leaf) echo -dict=dictionaries/leaf.dict ;;
    websocket_upgrade) echo -dict=dictionaries/upgrade.dict ;;
    protocol_headers) echo -dict=dictionaries/headers.dict ;;
    jetstream_config) echo -dict=dictionaries/jetstream.dict ;;
    replication_transform) echo -dict=dictionaries/transform.dict ;;
    jetstream_api) echo -dict=dictionaries/jetstream.dict -len_control=0 -max_len=1024 ;;
    backup_restore | plugin_events) echo -dict=dictionaries/headers.dict -len_control=0 -max_len=1024 ;;
    websocket_frames) echo -len_control=0 -max_len=1024 ;;
    volume_recover) echo -len_control=0 -max_len=512 ;;
    stream_model) echo -len_control=0 -max_len=2048 ;;
  esac
}

run() {
  local target=$1 log=artifacts/$1/log inputs=() found
  mkdir -p "corpus/$target" "artifacts/$target"
  for folder in "seeds/$target" "artifacts/seeds/$target"; do
    [ -d "$folder" ] && inputs+=("$folder")
  done
  # shellcheck disable=SC2046
  if ! "$binaries/$target" "corpus/$target" "${inputs[@]}" $(options "$target") -seed="$seed" -max_total_time="$seconds" \
    -timeout=10 -rss_limit_mb=2048 -print_final_stats=1 -artifact_prefix="artifacts/$target/" >"$log" 2>&1; then
    found=$(sed -n 's/.*Test unit written to //p' "$log" | tail -1)
    {
      printf '\n%s: a finding\n' "$target"
      grep -a -m1 -A3 -E 'panicked|ERROR:' "$log" | cut -c1-600
      printf 'replay: cargo fuzz run --fuzz-dir fuzz -s %s %s fuzz/%s\n' "$sanitizer" "$target" "$found"
    } >&2
    return 255
  fi
  awk -v target="$target" '
    / cov: .* ft: / { for (i = 1; i < NF; i++) { if ($i == "ft:") ft = $(i + 1); if ($i == "corp:") corpus = $(i + 1) } }
    /number_of_executed_units/ { units = $2 }
    /average_exec_per_sec/ { rate = $2 }
    END { sub("/.*", "", corpus); printf "%-24s %12d %10d %10d %8d\n", target, units, rate, ft, corpus }
  ' "$log" | tee "artifacts/summary/$target"
}
export -f run options
export seconds sanitizer seed binaries

header=$(printf '%-24s %12s %10s %10s %8s' target executions a-second features corpus)
printf '%s\n' "$header"
# xargs begins nothing more after a 255.
status=0
printf '%s\n' "${targets[@]}" | xargs -P "${HEADWATER_FUZZ_JOBS:-$(nproc)}" -I{} bash -c 'run {}' || status=1
printf '\n%s\n' "$header"
cat artifacts/summary/* 2>/dev/null \
  | awk '{ print; units += $2; rate += $3; features += $4; corpus += $5; targets++ }
    END { printf "%-24s %12d %10d %10d %8d\n", targets " targets", units, rate, features, corpus }'
exit "$status"

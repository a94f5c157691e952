#!/usr/bin/env bash
# docker/try.sh [file] [s3] [azure] [gcs]
#
# Builds the image, runs a server and a worker of it as nobody special on a read-only file system, exports by HTTP and
# looks at the files; for each storage that is named, `file` if none is. Needs `npm ci`, and Docker; or Podman; or, as
# root, Podman, Buildah and debootstrap on a machine that may not run containers: then all is done in a chroot. Uses the
# MongoDB of MONGODB_URI, or finds one as the tests do. Removes what it made, except what it fetched, which is kept in
# .cache/docker, and with KEEP_IMAGE=true the image and its layers. The last line says how it went.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

readonly image=localhost/bulk-export-try patients=${PATIENTS:-200} owner=1000:1000
work=$(mktemp -d)
readonly work
step='setting up' container='' servers=''
# Who runs, by the names of the programs.
# shellcheck disable=SC2034
server='' worker=''
variables=()

main() {
  choose_engine
  say "building the image with $engine"
  build
  say "the image has $(image_size) MB"

  local profile
  for profile in "$@"; do try "$profile"; done
}

try() {
  say "with the storage $1"
  step="starting servers for $1"
  rm -rf "$work/exports" "$work/downloads" "$work"/{server,worker,servers}.log
  mkdir -m 777 "$work/exports" "$work/downloads"
  rm -f "$work/hold"
  mkfifo "$work/hold"
  node --import tsx docker/servers.js "$1" <"$work/hold" >"$work/servers.log" &
  servers=$!
  exec 9>"$work/hold"
  wait_for "$work/servers.log" ready >/dev/null
  variables=()
  while IFS= read -r variable; do
    case $variable in *=*) variables+=(--env "$variable") ;; esac
  done <"$work/servers.log"
  port=$(free_port)
  variables+=(--env "MONGODB_DB=bulk-export-try-$$-$1" --env "PORT=$port")
  MONGODB_URI=$(sed -n 's/^MONGODB_URI=//p' "$work/servers.log")
  MONGODB_DB=bulk-export-try-$$-$1

  step='making a bucket, generating and loading a population'
  run_once bucket
  run_once generate --patients "$patients" --gzip /downloads/population | tail -n 1
  run_once load /downloads/population | tail -n 1

  step='starting the server and a worker'
  workers=0 run_on server
  workers=2 run_on worker
  wait_for "$work/server.log" host.listening >/dev/null
  wait_for "$work/worker.log" worker.started >/dev/null
  local uid
  uid=$(user_of server)
  [ "$uid" = 1000 ] || fail "the server runs as user $uid"
  run_once healthy

  step="exporting to $1"
  say 'server (user 1000, read-only file system) and worker are up; exporting'
  run_once export --url "http://127.0.0.1:$port/4_0_0" --out /downloads/export --delete
  compare

  step='ending in order'
  end server
  end worker
  grep -q worker.stopped "$work/worker.log" || fail 'the worker did not say that it has stopped'
  local left
  left=$(find "$work/exports" -type f | wc -l)
  [ "$left" -eq 0 ] || fail "$left files of the deleted export are left"
  end_servers
}

# With a MongoDB that was there before, the database has to go.
end_servers() {
  [ -n "$servers" ] || return 0
  MONGODB_URI=${MONGODB_URI:-} MONGODB_DB=${MONGODB_DB:-} node --input-type=module --eval '
    import { MongoClient } from "mongodb"
    const { MONGODB_URI, MONGODB_DB } = process.env
    if (MONGODB_DB) await MongoClient.connect(MONGODB_URI).then((c) => c.db(MONGODB_DB).dropDatabase().finally(() => c.close()))'
  # The end of their standard input.
  exec 9>&-
  wait "$servers" || true
  servers=''
}

# --- what is proved ---

# Lines by file, counted here and not by the programs.
compare() {
  local file type expected found total=0
  for file in "$work"/downloads/population/*.ndjson.gz; do
    type=$(basename "$file" .ndjson.gz)
    expected=$(zcat "$file" | wc -l)
    found=$(cat "$work/downloads/export/$type"-*.ndjson | wc -l)
    [ "$found" -eq "$expected" ] || fail "$found of $expected resources of type $type were exported"
    total=$((total + found))
  done
  say "$total resources were exported, of each type as many as were loaded"
}

# Sends SIGTERM, and demands exit code 0.
end() {
  case $engine in
    chroot)
      kill -TERM "$(node_below "${!1}")"
      # What Buildah itself ends with is not what the program ended with.
      wait "${!1}" || true
      wait_for "$work/$1.log" 'ended with' >/dev/null
      grep -q 'ended with 0$' "$work/$1.log" || fail "the $1 did not end with 0"
      ;;
    *)
      "$engine" stop --time 30 "${!1}" >/dev/null
      "$engine" logs "${!1}" >"$work/$1.log" 2>&1
      [ "$("$engine" inspect --format '{{.State.ExitCode}}' "${!1}")" = 0 ] || fail "the $1 did not end with 0"
      "$engine" rm "${!1}" >/dev/null
      ;;
  esac
  printf -v "$1" ''
  say "the $1 ended in order"
}

# --- engines ---

choose_engine() {
  if docker info >/dev/null 2>&1; then
    engine=docker
  elif command -v podman >/dev/null && [ "$(id -u)" -ne 0 ]; then
    engine=podman
  elif command -v podman >/dev/null && command -v buildah >/dev/null && command -v debootstrap >/dev/null; then
    engine=chroot
  else
    fail 'there is no Docker; Podman would do, or as root Podman, Buildah and debootstrap'
  fi
}

build() {
  step='building the image'
  local revision
  revision=$(git rev-parse HEAD 2>/dev/null || echo unknown)
  case $engine in
    chroot)
      docker/base-image.sh "$image/node" "$image/base"
      podman build --isolation chroot --network host --format docker --layers="${KEEP_IMAGE:-false}" --force-rm --quiet --file docker/Dockerfile \
        --tag "$image" --build-arg "NODE_IMAGE=$image/node" --build-arg "BASE_IMAGE=$image/base" \
        --build-arg "REVISION=$revision" . >"$work/build.log" 2>&1
      container=$(buildah from "$image")
      root=$(buildah mount "$container")
      # Buildah has to find the files that it mounts something on.
      buildah run --isolation chroot "$container" -- true
      touch "$root/run/.containerenv"
      mount --options remount,bind,ro "$root"
      ;;
    *) "$engine" build --file docker/Dockerfile --tag "$image" --build-arg "REVISION=$revision" . >"$work/build.log" 2>&1 ;;
  esac
}

image_size() {
  local name=$engine
  [ "$engine" = chroot ] && name=podman
  echo $(($("$name" image inspect --format '{{.Size}}' "$image") / 1000000))
}

# Runs a program of the image to its end. In the chroot its exit code has to come by another way, see `end`.
run_once() {
  if [ "$engine" = chroot ]; then
    in_chroot "$@" >"$work/once.log" 2>"$work/once.err" || true
    grep -q 'ended with 0$' "$work/once.log" || fail "$1 did not end with 0: $(head -n 5 "$work/once.err")"
    grep -v 'ended with' "$work/once.log" || true
  else
    "$engine" run --rm "${places[@]}" "${variables[@]}" --env "EXPORT_WORKERS=${workers:-0}" "$image" "$@"
  fi
}

# Starts a program of the image, and leaves it running.
run_on() {
  if [ "$engine" = chroot ]; then
    in_chroot "$1" >"$work/$1.log" 2>&1 &
    printf -v "$1" '%s' "$!"
  else
    printf -v "$1" '%s' "$("$engine" run --detach "${places[@]}" "${variables[@]}" --env "EXPORT_WORKERS=${workers:-0}" "$image" "$1")"
    "$engine" logs --follow "${!1}" >"$work/$1.log" 2>&1 &
  fi
}

places=(--init --read-only --tmpfs /tmp --network host --cap-drop ALL --security-opt no-new-privileges
  --volume "$work/exports:/exports" --volume "$work/downloads:/downloads")

in_chroot() {
  mkdir -p "$work/tmp"
  chmod 1777 "$work/tmp"
  buildah run --isolation chroot --user "$owner" --volume "$work/tmp:/tmp" --volume "$work/exports:/exports" \
    --volume "$work/downloads:/downloads" "${variables[@]}" --env "EXPORT_WORKERS=${workers:-0}" "$container" -- \
    sh -c 'node "$@"; echo "ended with $?"' sh "$@"
}

user_of() {
  if [ "$engine" = chroot ]; then
    stat --format %u "/proc/$(node_below "${!1}")"
  else
    "$engine" exec "${!1}" node -p 'process.getuid()'
  fi
}

# The process that runs Node among the descendants of another.
node_below() {
  local child
  for child in $(pgrep -P "$1"); do
    if [ "$(basename "$(readlink "/proc/$child/exe")")" = node ]; then echo "$child"; else node_below "$child"; fi
  done
}

# --- small things ---

say() { echo "==> $*"; }

fail() {
  echo "error while $step: $*" >&2
  exit 1
}

# The line of a file that has a text, as soon as it is there.
wait_for() {
  local tries
  for tries in $(seq 300); do
    if grep -m 1 -- "$2" "$1" 2>/dev/null; then return; fi
    sleep 0.2
  done
  fail "no \"$2\" in $1 after $((tries / 5)) s: $(tail -n 3 "$1")"
}

free_port() {
  node -e 'const s = require("net").createServer().listen(0, "127.0.0.1", () => { console.log(s.address().port); s.close() })'
}

finish() {
  local status=$?
  set +e
  if [ "$status" -ne 0 ]; then
    for log in build server worker once; do
      [ -s "$work/$log.log" ] && echo "--- the end of $log.log" >&2 && tail -n 20 "$work/$log.log" >&2
    done
  fi
  for program in server worker; do
    [ -z "${!program}" ] && continue
    if [ "${engine:-}" = chroot ]; then kill -KILL "$(node_below "${!program}")"; else "$engine" rm --force "${!program}"; fi
  done >/dev/null 2>&1
  end_servers
  wait
  if [ -n "$container" ]; then
    mount --options remount,bind,rw "$root"
    buildah rm "$container" >/dev/null
  fi
  if [ "${KEEP_IMAGE:-}" != true ]; then
    for name in "$image" "$image/node" "$image/base"; do
      if [ "${engine:-}" = docker ]; then docker image rm "$name"; else podman image rm --force "$name"; fi
    done >/dev/null 2>&1
  fi
  rm -rf "$work"
  if [ "$status" -eq 0 ]; then echo 'docker/try.sh: all is well'; else echo 'docker/try.sh: FAILED' >&2; fi
  exit "$status"
}

trap finish EXIT
if [ $# -eq 0 ]; then set -- file; fi
main "$@"

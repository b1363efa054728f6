#!/usr/bin/env bash
# Runs the README's first commands as a new user would, in a directory of its own.
set -euo pipefail
root="$(cd "$(dirname "$0")/../.." && pwd)"
work="$(mktemp -d)"
cd "$work"
trap 'kill "$node" 2>/dev/null || true; wait "$node" 2>/dev/null || true; rm -rf "$work"' EXIT

(cd "$root" && npm start -- --data-directory "$work/data") >"$work/start.log" 2>&1 &
node=$!
for _ in $(seq 100); do
  curl -sf http://127.0.0.1:8080/health/ready >/dev/null && break
  sleep 0.2
done
cat "$work/start.log"
causeway="$root/bin/causeway.mjs"
config="$work/data/config.yaml"
curl -sf http://127.0.0.1:8080/health
node "$causeway" status --config "$config"
node "$causeway" ping test.local-node --config "$config"
node "$causeway" balances --config "$config"

#!/usr/bin/env bash
# Runs the README's first commands as a new user would, on the checkout it lies in: start, then the other terminal.
set -euo pipefail
cd "$(dirname "$0")/../.."
if [ -e data ]; then
  echo "the directory data/ is there already: this check needs a checkout that has not been used" >&2
  exit 1
fi
log="$(mktemp)"
# npm and its shell stand between us and the node and pass no signals on.
leaf() {
  local child
  child="$(pgrep -P "$1" | head -n 1)"
  if [ -z "$child" ]; then echo "$1"; else leaf "$child"; fi
}
cleanup() {
  kill -TERM "$(leaf "$node")" 2>/dev/null || true
  wait "$node" 2>/dev/null || true
  rm -rf data "$log"
}
npm start >"$log" 2>&1 &
node=$!
trap cleanup EXIT
for _ in $(seq 150); do
  curl -sf http://127.0.0.1:8080/health/ready >/dev/null && break
  sleep 0.2
done
cat "$log"
set -x
npx causeway status
npx causeway pay bob 1000000 --from alice
npx causeway balances
npx causeway ping test.local-node
curl -sf http://127.0.0.1:8080/health

#!/usr/bin/env bash
# mlflow-server.sh COMMAND...: starts an MLflow server without data, from PyPI, on a free port of this machine, sets
# MLFLOW_SERVER to its URL, runs the command, and stops the server. As many workers as MLFLOW_WORKERS says, or one;
# its database is SQLite, or the PostgreSQL at POSTGRES_URL.
set -euo pipefail
cd "$(dirname "$0")/.."

version=3.17.2
env=${LEVADA_TEST_CACHE:-$HOME/.cache/levada-test}/mlflow-server-$version
scripts/python-env.sh "$env" "mlflow==$version" psycopg2-binary==2.9.13
data=$(mktemp -d)
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
export MLFLOW_SERVER=http://127.0.0.1:$port
database=${POSTGRES_URL:-sqlite:///$data/mlflow.db}
database=${database/#postgresql:/postgresql+psycopg2:}

# In a session of its own: the server starts workers, and they all end with it.
MLFLOW_SERVER_ENABLE_JOB_EXECUTION=false MLFLOW_DISABLE_TELEMETRY=true setsid "$env/bin/python" -m mlflow server --host 127.0.0.1 \
    --port "$port" --workers "${MLFLOW_WORKERS:-1}" --backend-store-uri "$database" \
    --artifacts-destination "$data/artifacts" >"$data/log" 2>&1 &
server=$!
trap 'kill -- -$server 2>/dev/null; rm -rf "$data"' EXIT
export MLFLOW_SERVER_PID=$server MLFLOW_SERVER_DATA=$data

for _ in $(seq 240); do
    kill -0 $server 2>/dev/null || break
    if python3 -c "import sys, urllib.request as u; u.urlopen('$MLFLOW_SERVER/health', timeout=2)" 2>/dev/null; then
        "$@"
        exit
    fi
    sleep 1
done
cat "$data/log" >&2
echo "the MLflow server does not answer" >&2
exit 1

#!/usr/bin/env bash
# Real Apache Flink as a standalone session cluster on loopback: one JobManager, TASK_MANAGERS TaskManagers, one SQL Gateway.
#
# usage: flink_up.sh {fetch|start|stop|status}
#   TIDEMILL_CACHE   what is downloaded, outside the checkout     (default ~/.cache/tidemill)
#   FLINK_DIR        configuration, logs, pids, checkpoints       (default $TIDEMILL_CACHE/rival/flink-run)
#   FLINK_VERSION    (2.3.0)   KAFKA_CONNECTOR (5.0.0-2.2; empty leaves it out)   EXTRA_JARS (paths, added to lib/)
#   TASK_MANAGERS    (1)       SLOTS per TaskManager (2)          TM_HEAP_MB (4096), TM_MANAGED_MB, TM_NETWORK_MB
#   REST_PORT, RPC_PORT, GATEWAY_PORT (18081, 16123, 18083)       CHECKPOINT_INTERVAL (10s)
# The distribution comes from the PyPI packages apache-flink (bin/, conf/) and apache-flink-libraries (lib/, opt/,
# plugins/), unpacked and not installed. Needs a JDK of 17 or later, Maven and Python with venv.
set -euo pipefail
CACHE=${TIDEMILL_CACHE:-$HOME/.cache/tidemill}/rival
FLINK_VERSION=${FLINK_VERSION:-2.3.0}
KAFKA_CONNECTOR=${KAFKA_CONNECTOR-5.0.0-2.2}
FLINK_DIR=${FLINK_DIR:-$CACHE/flink-run}
DIST=$CACHE/flink-$FLINK_VERSION
TASK_MANAGERS=${TASK_MANAGERS:-1}; SLOTS=${SLOTS:-2}
REST_PORT=${REST_PORT:-18081}; RPC_PORT=${RPC_PORT:-16123}; GATEWAY_PORT=${GATEWAY_PORT:-18083}
export FLINK_HOME=$DIST FLINK_CONF_DIR=$FLINK_DIR/conf FLINK_PID_DIR=$FLINK_DIR/run FLINK_LOG_DIR=$FLINK_DIR/log FLINK_LIB_DIR=$FLINK_DIR/lib
HERE=$(cd "$(dirname "$0")" && pwd)
JAVA_HOME=${JAVA_HOME:-$(dirname "$(dirname "$(readlink -f "$(command -v java)")")")}; export JAVA_HOME

artifact() { # artifact GROUP:NAME:VERSION FOLDER
  mvn -q -B org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy -Dartifact="$1" -DoutputDirectory="$2"
}

fetch() {
  fetch_flink
  # On its own: the distribution may have been fetched without it.
  [ -z "$KAFKA_CONNECTOR" ] || [ -f "$DIST/lib/flink-sql-connector-kafka-$KAFKA_CONNECTOR.jar" ] ||
    artifact "org.apache.flink:flink-sql-connector-kafka:$KAFKA_CONNECTOR" "$DIST/lib"
}

fetch_flink() {
  [ -f "$DIST/complete" ] && return 0
  local wheels=$CACHE/wheels; mkdir -p "$DIST" "$wheels"
  python3 -m venv "$CACHE/venv"
  # --only-binary for apache-flink alone: its libraries are a wheel from 2.2.0 on and an sdist before.
  "$CACHE/venv/bin/pip" -q download --no-deps --only-binary apache-flink -d "$wheels" \
    "apache-flink==$FLINK_VERSION" "apache-flink-libraries==$FLINK_VERSION"
  python3 "$HERE/unpack_flink.py" "$DIST" "$wheels"/apache_flink-"$FLINK_VERSION"-*.whl "$wheels"/apache_flink_libraries-"$FLINK_VERSION"[-.]*
  chmod +x "$DIST"/bin/*.sh "$DIST"/bin/flink
  # the wheels carry the SQL client but not the gateway that it embeds
  artifact "org.apache.flink:flink-sql-gateway:$FLINK_VERSION" "$DIST/opt"
  touch "$DIST/complete"
}

configure() {
  local opens; opens=$(sed -n 's/^ *all: *//p' "$DIST/conf/config.yaml")   # the --add-opens list for JDK 17
  rm -rf "$FLINK_CONF_DIR" "$FLINK_LIB_DIR"
  mkdir -p "$FLINK_DIR/state/local" "$FLINK_PID_DIR" "$FLINK_LOG_DIR" "$FLINK_LIB_DIR"
  cp -r "$DIST/conf" "$FLINK_CONF_DIR"
  ln -s "$DIST"/lib/*.jar ${EXTRA_JARS:-} "$FLINK_LIB_DIR/"
  cat >"$FLINK_CONF_DIR/config.yaml" <<C
env.java.opts.all: $opens
env.java.opts.taskmanager: -XX:+UseG1GC
jobmanager.rpc.address: 127.0.0.1
jobmanager.rpc.port: $RPC_PORT
jobmanager.bind-host: 127.0.0.1
jobmanager.memory.process.size: 1600m
taskmanager.bind-host: 127.0.0.1
taskmanager.host: 127.0.0.1
taskmanager.numberOfTaskSlots: $SLOTS
taskmanager.memory.task.heap.size: ${TM_HEAP_MB:-4096}m
taskmanager.memory.managed.size: ${TM_MANAGED_MB:-256}m
taskmanager.memory.network.max: ${TM_NETWORK_MB:-256}m
taskmanager.memory.network.min: ${TM_NETWORK_MB:-256}m
rest.address: 127.0.0.1
rest.bind-address: 127.0.0.1
rest.port: $REST_PORT
io.tmp.dirs: $FLINK_DIR/state/local
state.backend.type: hashmap
execution.checkpointing.dir: file://$FLINK_DIR/state/checkpoints
execution.checkpointing.interval: ${CHECKPOINT_INTERVAL:-10s}
execution.checkpointing.mode: EXACTLY_ONCE
pipeline.object-reuse: true
web.upload.dir: $FLINK_DIR/state/upload
C
}

pids() { cat "$FLINK_PID_DIR"/flink-*-"$1".pid 2>/dev/null || true; }
rest() { curl -fsS "http://127.0.0.1:$REST_PORT$1"; }
wait_for() { # wait_for WHAT COMMAND...: until it succeeds
  local what=$1; shift
  for _ in $(seq 600); do "$@" >/dev/null 2>&1 && return 0; sleep 0.2; done
  echo "Flink: $what did not come up, see $FLINK_LOG_DIR" >&2; return 1
}
slots_free() { rest /overview | grep -q "\"taskmanagers\":$TASK_MANAGERS,.*\"slots-available\":$((TASK_MANAGERS * SLOTS)),"; }
gateway_up() { curl -fsS "http://127.0.0.1:$GATEWAY_PORT/v1/info"; }

start() {
  fetch; stop; configure
  "$DIST/bin/jobmanager.sh" start >/dev/null 2>&1
  for _ in $(seq "$TASK_MANAGERS"); do "$DIST/bin/taskmanager.sh" start >/dev/null 2>&1; done
  wait_for "the cluster" slots_free
  "$DIST/bin/sql-gateway.sh" start -Dsql-gateway.endpoint.rest.address=127.0.0.1 \
    -Dsql-gateway.endpoint.rest.bind-address=127.0.0.1 -Dsql-gateway.endpoint.rest.port="$GATEWAY_PORT" >/dev/null 2>&1
  wait_for "the SQL Gateway" gateway_up
  echo "Flink $FLINK_VERSION: $TASK_MANAGERS TaskManager(s) with $SLOTS slot(s), REST 127.0.0.1:$REST_PORT, SQL Gateway 127.0.0.1:$GATEWAY_PORT"
}

stop_pid() {
  kill "$1" 2>/dev/null || return 0
  for _ in $(seq 100); do kill -0 "$1" 2>/dev/null || return 0; sleep 0.1; done
  kill -9 "$1"
}
stop() {
  local role pid
  for role in sql-gateway taskexecutor standalonesession; do
    for pid in $(pids "$role"); do stop_pid "$pid"; done
  done
  rm -f "$FLINK_PID_DIR"/*.pid
}
status() { rest /overview; echo; }

command=${1:-start}; shift || true
case $command in
  fetch|start|stop|status) "$command" "$@" ;;
  *) echo "unknown command $command" >&2; exit 2 ;;
esac

#!/usr/bin/env bash
# A real Kafka broker (KRaft, one node) beside the control plane of a cluster that up.sh brought up:
#   kafka.sh start DIR               fetches Kafka from Maven Central once, then starts the broker
#   kafka.sh topic DIR NAME PARTS    makes a topic, if it is not there
#   kafka.sh stop DIR                stops the broker; its data stays until down.sh
# Pods reach it at 198.18.0.1:9092 and as the service `kafka` of the namespace `default`; what runs outside reaches it
# at the address in DIR/kafka/bootstrap, which a forwarder leads inside. It ends with the cluster.
set -euo pipefail
HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
. "$HERE/lib.sh"

RIVAL=$HERE/../rival
POD_PORT=9092 CONTROLLER_PORT=9093 OUTSIDE_PORT=9094

[ $# -ge 2 ] || die "usage: kafka.sh start|topic|stop DIR ..."
BASE=$(cd "$2" && pwd)
HOME_DIR=$BASE/kafka
install_missing default-jdk-headless:java maven:mvn
LIBS=$("$RIVAL/kafka_up.sh" libs)

configure() {
  mkdir -p "$HOME_DIR"
  cat >"$HOME_DIR/log4j2.yaml" <<L4J
Configuration:
  Appenders:
    Console: {name: out, PatternLayout: {pattern: "[%d] %p %m (%c)%n"}}
  Loggers:
    Root: {level: INFO, AppenderRef: {ref: out}}
L4J
  cat >"$HOME_DIR/server.properties" <<P
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:$CONTROLLER_PORT
listeners=PODS://0.0.0.0:$POD_PORT,OUTSIDE://127.0.0.1:$OUTSIDE_PORT,CONTROLLER://127.0.0.1:$CONTROLLER_PORT
advertised.listeners=PODS://$CP_IP:$POD_PORT,OUTSIDE://$1
listener.security.protocol.map=PODS:PLAINTEXT,OUTSIDE:PLAINTEXT,CONTROLLER:PLAINTEXT
controller.listener.names=CONTROLLER
inter.broker.listener.name=PODS
log.dirs=$HOME_DIR/data
P
  cat "$RIVAL/one_node.properties" >>"$HOME_DIR/server.properties"
}

# kafka CLASS ARGS...: a Kafka program in the control plane's namespaces, where the broker is at home.
kafka() {
  "$HERE/in.sh" "$BASE" cp java "${HEAP:--Xmx256m}" -XX:+UseSerialGC -Dlog4j2.configurationFile="$HOME_DIR/log4j2.yaml" \
    -cp "$LIBS/*" "$@"
}

# expose: the forwarder from outside, and the service for pods.
expose() {
  local outside=$1 bin
  bin=$(cat "$BASE/bin")
  setsid "$bin/tb" forward -dial-ns "$(cat "$BASE/run/cp.init")" "$outside=127.0.0.1:$OUTSIDE_PORT" \
    >"$BASE/logs/kafka-forward.log" 2>&1 </dev/null &
  echo $! >"$BASE/run/kafka-forward.pid"
  disown
  sed "s/BROKER_ADDRESS/$CP_IP/" "$HERE/kafka.yaml" |
    KUBECONFIG=$BASE/pki/kubeconfig "$bin/kubectl" apply --server-side -f - >>"$BASE/logs/base.log"
}

start() {
  local start=$EPOCHREALTIME outside
  outside=127.0.0.1:$("$(cat "$BASE/bin")/tb" free-port)
  configure "$outside"
  kafka kafka.tools.StorageTool format --ignore-formatted -t tidemill-test-cluster-1 -c "$HOME_DIR/server.properties" \
    >"$BASE/logs/kafka-format.log" 2>&1 || { cat "$BASE/logs/kafka-format.log" >&2; die "failed to format Kafka's storage"; }
  HEAP=-Xmx${KAFKA_HEAP:-768m} kafka kafka.Kafka "$HOME_DIR/server.properties" >"$BASE/logs/kafka.log" 2>&1 </dev/null &
  local pid=$!
  disown
  for _ in $(seq 600); do
    grep -q 'Kafka Server started' "$BASE/logs/kafka.log" && break
    kill -0 "$pid" 2>/dev/null || { tail -n 20 "$BASE/logs/kafka.log" >&2; die "Kafka ended"; }
    sleep 0.1
  done
  expose "$outside"
  echo "$outside" >"$HOME_DIR/bootstrap"
  log "Kafka ready after $(since "$start"): $outside from here, $CP_IP:$POD_PORT or kafka.default:$POD_PORT from pods"
}

topic() {
  kafka org.apache.kafka.tools.TopicCommand --bootstrap-server "$CP_IP:$POD_PORT" --create --if-not-exists \
    --topic "$1" --partitions "$2" --replication-factor 1 >"$BASE/logs/kafka-topic.log" 2>&1 </dev/null ||
    { cat "$BASE/logs/kafka-topic.log" >&2; die "failed to make the topic $1"; }
}

stop() { "$HERE/in.sh" "$BASE" cp pkill -TERM -f kafka.Kafka; }

case $1 in
  start) start ;;
  topic) topic "$3" "$4" ;;
  stop) stop ;;
  *) die "unknown command $1" ;;
esac

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

VERSION=4.3.1
LIBS=${TIDEMILL_CACHE:-$HOME/.cache/tidemill}/kafka/$VERSION
POD_PORT=9092 CONTROLLER_PORT=9093 OUTSIDE_PORT=9094

[ $# -ge 2 ] || die "usage: kafka.sh start|topic|stop DIR ..."
BASE=$(cd "$2" && pwd)
HOME_DIR=$BASE/kafka

fetch() {
  [ ! -e "$LIBS/done" ] || return 0
  install_missing default-jdk-headless:java maven:mvn
  log "fetching Kafka $VERSION"
  rm -rf "$LIBS" && mkdir -p "$LIBS"
  cat >"$LIBS/pom.xml" <<POM
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>local</groupId><artifactId>kafka</artifactId><version>1</version><packaging>pom</packaging>
  <dependencies>
    <dependency><groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId><version>$VERSION</version></dependency>
    <dependency><groupId>org.apache.kafka</groupId><artifactId>kafka-tools</artifactId><version>$VERSION</version></dependency>
    <!-- the broker logs through slf4j; without a binding it is silent -->
    <dependency><groupId>org.apache.logging.log4j</groupId><artifactId>log4j-slf4j-impl</artifactId><version>2.25.3</version></dependency>
  </dependencies>
</project>
POM
  mvn -q -B -Dstyle.color=never -f "$LIBS/pom.xml" org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy-dependencies \
    -DincludeScope=runtime -DoutputDirectory="$LIBS/jars" </dev/null >&2
  touch "$LIBS/done"
}

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
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=4
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
log.retention.hours=-1
auto.create.topics.enable=false
P
}

# kafka CLASS ARGS...: a Kafka program in the control plane's namespaces, where the broker is at home.
kafka() {
  "$HERE/in.sh" "$BASE" cp java "${HEAP:--Xmx256m}" -XX:+UseSerialGC -Dlog4j2.configurationFile="$HOME_DIR/log4j2.yaml" \
    -cp "$LIBS/jars/*" "$@"
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
  fetch
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

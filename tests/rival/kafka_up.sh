#!/usr/bin/env bash
# Real Apache Kafka (KRaft, one node that is broker and controller) from Maven Central, on loopback only.
#
# usage: kafka_up.sh {fetch|libs|start|stop|status|topic NAME PARTITIONS|delete NAME|offsets NAME}
#   libs            fetches, and prints where Kafka's jars are
#   TIDEMILL_CACHE  what is downloaded, outside the checkout    (default ~/.cache/tidemill)
#   KAFKA_DIR       data, log and pid of this broker            (default $TIDEMILL_CACHE/rival/kafka-run)
#   KAFKA_VERSION   (4.3.1)   KAFKA_PORT, KAFKA_CTRL_PORT (19092, 19093)   KAFKA_HEAP (1g)
# Needs a JDK of 17 or later, and Maven. `stop` ends exactly the process that `start` began.
set -euo pipefail
HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
CACHE=${TIDEMILL_CACHE:-$HOME/.cache/tidemill}/rival
KAFKA_VERSION=${KAFKA_VERSION:-4.3.1}
KAFKA_DIR=${KAFKA_DIR:-$CACHE/kafka-run}
PORT=${KAFKA_PORT:-19092}; CTRL_PORT=${KAFKA_CTRL_PORT:-19093}; HEAP=${KAFKA_HEAP:-1g}
HOME_DIR=$CACHE/kafka-$KAFKA_VERSION
LIBS=$HOME_DIR/libs
PIDFILE=$KAFKA_DIR/broker.pid

tool() { # tool MAIN ARGS...: runs one of Kafka's own programs
  java -Xmx512m -Dlog4j2.configurationFile="$KAFKA_DIR/log4j2-tools.yaml" -cp "$LIBS/*" "$@"
}

fetch() {
  [ -f "$HOME_DIR/complete" ] && return 0
  mkdir -p "$HOME_DIR/pom"
  cat >"$HOME_DIR/pom/pom.xml" <<POM
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>local</groupId><artifactId>kafka-libs</artifactId><version>1</version><packaging>pom</packaging>
  <dependencies>
    <dependency><groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId><version>$KAFKA_VERSION</version></dependency>
    <dependency><groupId>org.apache.kafka</groupId><artifactId>kafka-tools</artifactId><version>$KAFKA_VERSION</version></dependency>
    <!-- the broker logs through slf4j; without a binding it is silent -->
    <dependency><groupId>org.apache.logging.log4j</groupId><artifactId>log4j-slf4j-impl</artifactId><version>2.25.3</version></dependency>
  </dependencies>
</project>
POM
  mvn -q -B -Dstyle.color=never -f "$HOME_DIR/pom/pom.xml" org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy-dependencies \
    -DincludeScope=runtime -DoutputDirectory="$LIBS" </dev/null >&2
  touch "$HOME_DIR/complete"
}

libs() { fetch; echo "$LIBS"; }

configure() {
  mkdir -p "$KAFKA_DIR"
  local kind
  for kind in broker:INFO tools:WARN; do
    cat >"$KAFKA_DIR/log4j2-${kind%%:*}.yaml" <<L4J
Configuration:
  Appenders:
    Console: {name: out, PatternLayout: {pattern: "[%d] %p %m (%c)%n"}}
  Loggers:
    Root: {level: ${kind##*:}, AppenderRef: {ref: out}}
L4J
  done
  cat >"$KAFKA_DIR/server.properties" <<P
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:$CTRL_PORT
listeners=PLAINTEXT://127.0.0.1:$PORT,CONTROLLER://127.0.0.1:$CTRL_PORT
advertised.listeners=PLAINTEXT://127.0.0.1:$PORT
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
controller.listener.names=CONTROLLER
inter.broker.listener.name=PLAINTEXT
log.dirs=$KAFKA_DIR/data
P
  cat "$HERE/one_node.properties" >>"$KAFKA_DIR/server.properties"
}

running() { [ -f "$PIDFILE" ] && kill -0 "$(cat "$PIDFILE")" 2>/dev/null; }

wait_until_ready() {
  for _ in $(seq 300); do
    grep -q 'Kafka Server started' "$KAFKA_DIR/broker.log" && return 0
    running || break
    sleep 0.2
  done
  echo "the Kafka broker did not start:" >&2; tail -20 "$KAFKA_DIR/broker.log" >&2; return 1
}

start() {
  if running; then echo "Kafka is already running"; return 0; fi
  fetch; configure
  if [ ! -f "$KAFKA_DIR/data/meta.properties" ]; then
    tool kafka.tools.StorageTool format -t "$(tool kafka.tools.StorageTool random-uuid)" -c "$KAFKA_DIR/server.properties" >/dev/null
  fi
  setsid java -Xms"$HEAP" -Xmx"$HEAP" -XX:+UseG1GC -Dlog4j2.configurationFile="$KAFKA_DIR/log4j2-broker.yaml" \
    -cp "$LIBS/*" kafka.Kafka "$KAFKA_DIR/server.properties" >"$KAFKA_DIR/broker.log" 2>&1 </dev/null &
  echo $! >"$PIDFILE"
  wait_until_ready
  echo "Kafka $KAFKA_VERSION: pid $(cat "$PIDFILE"), 127.0.0.1:$PORT"
}

stop() {
  running || { rm -f "$PIDFILE"; return 0; }
  local pid; pid=$(cat "$PIDFILE"); kill "$pid"
  for _ in $(seq 100); do kill -0 "$pid" 2>/dev/null || break; sleep 0.2; done
  rm -f "$PIDFILE"
}

status() { running && echo "up, pid $(cat "$PIDFILE")" && grep -E 'VmRSS|VmHWM' /proc/"$(cat "$PIDFILE")"/status; }
topic() { tool org.apache.kafka.tools.TopicCommand --bootstrap-server "127.0.0.1:$PORT" --create --if-not-exists --topic "$1" --partitions "$2" --replication-factor 1; }
delete() { tool org.apache.kafka.tools.TopicCommand --bootstrap-server "127.0.0.1:$PORT" --delete --if-exists --topic "$1"; }
offsets() { tool org.apache.kafka.tools.GetOffsetShell --bootstrap-server "127.0.0.1:$PORT" --topic "$1"; }

command=${1:-start}; shift || true
case $command in
  fetch|libs|start|stop|status|topic|delete|offsets) "$command" "$@" ;;
  *) echo "unknown command $command" >&2; exit 2 ;;
esac

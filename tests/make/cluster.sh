#!/usr/bin/env bash
# A cluster with Tidemill and Kafka in it:
#   cluster.sh start DIR      builds the image, brings the cluster up, installs the chart, starts Kafka
#   cluster.sh up DIR         the same, with the example's topics, and says what to do next
#   cluster.sh diagnose DIR   shows what is in it, for the log of a failed test
#   cluster.sh down DIR       ends it
# NODES (3 for up, so that an application of three workers fits on a small machine; otherwise 1) and WAIT (120s, for the
# chart to be ready) can be set.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

NAMESPACE=tidemill-system

# inside: makes kubectl and helm those of the cluster.
inside() {
  export KUBECONFIG=$DIR/pki/kubeconfig
  PATH=$(cat "$DIR/bin"):$PATH
}

diagnose() {
  inside
  local namespace
  {
    kubectl get pods --all-namespaces -o wide
    for namespace in "$NAMESPACE" $(kubectl get namespaces -o name | sed -n 's#^namespace/\(test-.*\)#\1#p'); do
      echo "--- $namespace"
      kubectl get events -n "$namespace" --sort-by .lastTimestamp | tail -n 30
      for pod in $(kubectl get pods -n "$namespace" -o name); do
        kubectl logs -n "$namespace" "$pod" --all-containers --prefix --tail 40
      done
    done
  } >&2 || true
}

install_chart() {
  helm upgrade --install tidemill charts/tidemill --namespace "$NAMESPACE" --create-namespace \
    --set image.repository="${IMAGE%:*}" --set image.tag="${IMAGE##*:}" --set store.enabled=true --set store.runAsRoot=true \
    --wait --timeout "${WAIT:-120s}" >"$DIR/logs/helm.log" 2>&1 && return
  cat "$DIR/logs/helm.log" >&2
  diagnose
  die "failed to install the chart"
}

start() {
  local archive kafka
  archive=$(tests/make/images.sh)
  mkdir -p "$(dirname "$DIR")"
  tests/cluster/up.sh "$DIR" --nodes "${NODES:-1}"
  inside
  tests/cluster/kafka.sh start "$DIR" &
  kafka=$!
  tests/cluster/load.sh "$DIR" "$archive" >"$DIR/logs/load.log"
  install_chart
  wait "$kafka" || die "failed to start Kafka"
  log "Tidemill runs in the namespace $NAMESPACE"
}

next_steps() {
  local topic
  for topic in page-views page-counts; do tests/cluster/kafka.sh topic "$DIR" "$topic" 4; done
  cat <<NEXT

The cluster is up. Go on with

  export KUBECONFIG=$DIR/pki/kubeconfig
  export PATH=$(cat "$DIR/bin"):\$PATH
  kubectl apply -f examples/page-views/
  kubectl get applications.tidemill.dev -w

Kafka listens at $(cat "$DIR/kafka/bootstrap") for programs on this machine, at kafka.default:9092 for pods.
make cluster-down ends it all.
NEXT
}

[ $# = 2 ] || die "usage: cluster.sh start|up|diagnose|down DIR"
DIR=$2
case $1 in
  start) start ;;
  up) NODES=${NODES:-3}; start; next_steps ;;
  diagnose) diagnose ;;
  down) tests/cluster/down.sh "$DIR" ;;
  *) die "unknown command $1" ;;
esac

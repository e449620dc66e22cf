# shellcheck shell=bash disable=SC2034 # the variables are for the scripts that read this
# Shared by the scripts of this folder and by those that run inside the namespaces.

# The addresses live only inside network namespaces that up.sh makes. They are
# of the range kept for network tests (RFC 2544), so they are no real host's.
CP_IP=198.18.0.1            # control plane, DNS; nodes: 198.18.0.(10 + N)
POD_NET=198.19.0.0/16       # pods: 198.19.N.0/24
SERVICE_NET=198.18.128.0/17 # services
SERVICE_IP=198.18.128.1     # the service "kubernetes"
API_PORT=6443

node_name() { echo "node-$1"; }
node_ip() { echo "198.18.0.$((10 + $1))"; }
node_pods() { echo "198.19.$1.0/24"; }

log() { printf '%(%H:%M:%S)T %s\n' -1 "$*" >&2; }
die() { log "error: $*"; exit 1; }

# keep NAME COMMAND...: runs it in the background, its output in logs/NAME.log,
# and starts it anew whenever it ends, as an init system would.
keep() {
  local name=$1
  shift
  (
    trap - EXIT
    while :; do
      "$@" >>"$HOME_DIR/logs/$name.log" 2>&1 </dev/null || true
      echo "--- $name ended, starting it anew" >>"$HOME_DIR/logs/$name.log"
      sleep 1
    done
  ) &
}

# own_mounts: the mounts that a control plane or node needs for itself. It runs in
# a mount namespace of its own, so nothing of it shows outside.
own_mounts() {
  mount --make-rprivate /
  mount -t sysfs sysfs /sys # shows the devices of this network namespace
  mount -t tmpfs -o mode=755 tmpfs /sys/fs/cgroup
  local controllers dir
  while IFS=: read -r _ controllers _; do
    [ -n "$controllers" ] || continue
    dir=/sys/fs/cgroup/${controllers#name=}
    mkdir "$dir"
    case $controllers in name=*) controllers=none,$controllers ;; esac
    mount -t cgroup -o "$controllers" cgroup "$dir"
  done </proc/self/cgroup
  mount -t tmpfs -o mode=755 tmpfs /run
  mkdir -p /run/lock "$HOME_DIR/var-log" "$BASE/volumes"
  mount --bind "$HOME_DIR/var-log" /var/log
  # Where the controller manager's host-path provisioner puts volumes: one folder
  # for the whole cluster, as a network file system would be.
  mount --bind "$BASE/volumes" /tmp/hostpath_pv
  # The kubelet sets these for the whole machine. It sees its wish fulfilled and
  # leaves the real ones alone.
  local flag
  mkdir -p "$HOME_DIR/sysctl"
  for flag in vm/overcommit_memory=1 vm/panic_on_oom=0 kernel/panic=10 kernel/panic_on_oops=1; do
    echo "${flag#*=}" >"$HOME_DIR/sysctl/$(basename "${flag%=*}")"
    mount --bind "$HOME_DIR/sysctl/$(basename "${flag%=*}")" "/proc/sys/${flag%=*}"
  done
  mount --make-rshared /
}

# wait_link NAME: until up.sh has put the link into this network namespace.
wait_link() {
  for _ in $(seq 300); do
    ip link show "$1" >/dev/null 2>&1 && return
    sleep 0.1
  done
  die "no link $1"
}

# since T: the seconds since $EPOCHREALTIME was T.
since() { awk -v a="$1" -v b="$EPOCHREALTIME" 'BEGIN { printf "%.1f s", b - a }'; }

# install_missing PACKAGE:PROGRAM...: installs the Debian packages whose program is not there; the program `-` asks for
# the package itself.
install_missing() {
  local need package program missing=()
  for need in "$@"; do
    package=${need%:*} program=${need#*:}
    if [ "$program" = - ]; then
      dpkg -s "$package" >/dev/null 2>&1 || missing+=("$package")
    else
      PATH=$PATH:/usr/sbin:/sbin command -v "$program" >/dev/null || missing+=("$package")
    fi
  done
  [ ${#missing[@]} -gt 0 ] || return 0
  command -v apt-get >/dev/null || die "please install ${missing[*]}: there is no apt-get to do it with"
  [ "$(id -u)" = 0 ] || die "please install ${missing[*]}, or run this as root"
  log "installing ${missing[*]}"
  { apt-get -qq update && DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends "${missing[@]}"; } >&2 </dev/null
}

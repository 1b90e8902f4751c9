#!/bin/sh
# Brings what a command needs: `setup.sh check|test|demo`. Says one line for each thing it installs, and nothing
# when all is there. Repeatable; takes a fraction of a second when nothing is missing.
set -eu
purpose=${1:?usage: setup.sh check|test|demo}
cd "$(dirname "$0")/.."

say() { echo "setup: $*" >&2; }

die() {
  say "$*"
  exit 1
}

# npm packages, as the lock file says. npm leaves its own copy of the lock in node_modules when it is done.
if [ ! -f node_modules/.package-lock.json ] || [ package-lock.json -nt node_modules/.package-lock.json ]; then
  say "installing npm packages (npm ci)"
  command -v npm >/dev/null || die "npm is not installed: install Node 20 or newer with npm, then try again"
  npm ci --no-progress --loglevel=error >&2 || die "npm ci failed; see its lines above"
  touch node_modules/.package-lock.json
fi

# Debian packages: command that proves it is there, and the package that brings it.
needs=
[ "$purpose" = check ] || needs="ip:iproute2 ping:iputils-ping tcpdump:tcpdump nft:nftables"
# The pinned Node is a plain binary: what it links to is not on every machine.
[ ! -e node_modules/.bin/node ] || node_modules/.bin/node --version >/dev/null 2>&1 || needs="$needs libatomic:libatomic1"
if [ "$purpose" = test ]; then
  needs="$needs etcd:etcd-server etcdctl:etcd-client bird:bird2 gobgpd:gobgpd /usr/lib/frr/bgpd:frr bgpctl:openbgpd"
  needs="$needs /usr/lib/cni/ptp:containernetworking-plugins setpriv:util-linux sysctl:procps bgpdump:bgpdump openssl:openssl kubectl:kubernetes-client"
  needs="$needs podman:podman containerd:containerd runc:runc busybox:busybox-static"
  # A kernel with the modules that this machine's may lack; it is built for this processor only.
  [ "$(uname -m)" != x86_64 ] || needs="$needs linux.uml:user-mode-linux modprobe:kmod"
fi
# Any C compiler builds the quick form of the CNI plugins; this is the smallest. Without one they run on Node.
if [ "$purpose" != check ] && ! command -v cc >/dev/null 2>&1 && ! command -v gcc >/dev/null 2>&1; then
  needs="$needs tcc:tcc /usr/include/stdio.h:libc6-dev"
fi
PATH=$PATH:/usr/sbin:/sbin
missing=
for need in $needs; do
  command -v "${need%%:*}" >/dev/null 2>&1 || missing="$missing ${need##*:}"
done

# BIRD 1.6 has the same files as BIRD 2, so its package is only unpacked, where the tests look for it.
bird1=${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/caracal/bird-1.6
fetch_bird1() {
  downloads=$(mktemp -d)
  (cd "$downloads" && apt-get download -q 'bird=1.6.*' && dpkg -x bird_*.deb unpacked) >"$downloads/log" 2>&1 && {
    rm -rf "$bird1"
    mkdir -p "${bird1%/*}"
    mv "$downloads/unpacked" "$bird1"
  }
  fetched=$?
  rm -rf "$downloads"
  return $fetched
}
unpack_bird1() {
  if [ "$purpose" != test ] || [ -x "$bird1/usr/sbin/bird" ]; then return 0; fi
  say "unpacking Debian package bird 1.6 into $bird1"
  if command -v apt-get >/dev/null; then
    fetch_bird1 && return 0
    [ "$(id -u)" -ne 0 ] || apt-get update -q >/dev/null 2>&1 || true
    fetch_bird1 && return 0
  fi
  say "bird 1.6 cannot be had: the tests that need it say so and are skipped"
}
unpack_bird1
[ -z "$missing" ] && exit 0

if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null; then
  say "missing Debian packages:$missing (install them as root: apt-get install$missing)"
  [ "$purpose" = test ] && exit 0 # Tests that need them say so and are skipped.
  exit 1
fi
# Daemons that the packages bring must not start by themselves: the tests run their own, in namespaces.
policy=/usr/sbin/policy-rc.d
if [ ! -e $policy ]; then
  printf '#!/bin/sh\nexit 101\n' >$policy
  chmod 755 $policy
  trap 'rm -f $policy' EXIT
fi
export DEBIAN_FRONTEND=noninteractive
updated=
for package in $missing; do
  say "installing Debian package $package"
  log=$(mktemp)
  if ! apt-get install -y -q --no-install-recommends "$package" >"$log" 2>&1; then
    if [ -z "$updated" ]; then
      say "refreshing the package lists (apt-get update)"
      apt-get update -q >"$log" 2>&1 || true
      updated=yes
    fi
    apt-get install -y -q --no-install-recommends "$package" >"$log" 2>&1 || {
      tail -n 5 "$log" >&2
      rm -f "$log"
      die "Debian package $package could not be installed; its last lines are above"
    }
  fi
  rm -f "$log"
done

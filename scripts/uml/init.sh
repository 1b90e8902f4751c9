#!/bin/sh
# The first process of a user-mode Linux: puts a scratch layer over the host's files, brings the devices and modules that
# tests need, runs the command, tells its exit code, ends the machine. CARACAL_UML_RUN is a directory of the host:
# `command.sh` in it is what to run, `status` is where the exit code goes. After CARACAL_UML_SECONDS the machine ends in any case.
#
# The host's files are mounted read-only. Over them lies a file system in memory, so nothing that is done here reaches
# the host but by the run directory.
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export PATH
release=$(uname -r)
modules=/usr/lib/uml/modules/$release

over() {
  echo "uml: $*" >&2
  sync
  mount -t proc proc /proc 2>/dev/null
  echo o >/proc/sysrq-trigger
  sleep 60
}

if [ "${CARACAL_UML_STAGE:-1}" = 1 ]; then
  # The overlay's own parts live where the host's files are covered anyway.
  mount -t tmpfs -o size=75% scratch /mnt || over "cannot mount a file system in memory"
  mkdir /mnt/changes /mnt/work /mnt/root
  insmod "$modules/kernel/fs/overlayfs/overlay.ko" || over "the kernel's overlayfs module cannot be loaded"
  mount -t overlay -o lowerdir=/,upperdir=/mnt/changes,workdir=/mnt/work overlay /mnt/root || over "cannot mount the overlay"
  export CARACAL_UML_STAGE=2
  exec chroot /mnt/root "$0"
  over "cannot change into the overlay"
fi

mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t tmpfs tmpfs /run
mount -t devtmpfs dev /dev 2>/dev/null
mkdir -p /dev/shm /dev/pts
mount -t tmpfs tmpfs /dev/shm
mount -t devpts devpts /dev/pts
# What is run is told apart from where it runs by the run directory alone: it may lie under what is mounted above.
mkdir -p /run/caracal-uml /lib/modules
mount -t hostfs -o "$CARACAL_UML_RUN" none /run/caracal-uml || over "cannot mount $CARACAL_UML_RUN"
ln -s "$modules" "/lib/modules/$release"
# The kernel loads the others when somebody asks for what they do.
modprobe ipv6 || over "the kernel's ipv6 module cannot be loaded"
hostname caracal-uml
ip link set lo up

# Should whoever started the machine be killed, it still ends.
(sleep "$CARACAL_UML_SECONDS" && over "out of time") </dev/null >/dev/null 2>&1 &

unset CARACAL_UML_STAGE
echo "--- caracal-uml begins"
sh /run/caracal-uml/command.sh </dev/null
echo $? >/run/caracal-uml/status
echo "--- caracal-uml ends"
over "finished" 2>/dev/null

#!/inside/busybox sh
# The guest's first process: it lays a writable overlay over the host's file tree, which is mounted read-only, and switches root to it.
# Nothing is kept: the overlay is on a disk that is deleted with the machine.
b=/inside/busybox
$b mkdir -p /proc /host /scratch /root
$b mount -t proc proc /proc
$b mount -t devtmpfs dev /dev
for module in $($b cat /inside/modules/order); do $b insmod "/inside/modules/$module"; done
# cache=loose assumes that files do not change on the host; this holds for programs and is many times faster.
$b mount -t 9p -o ro,noatime,trans=virtio,version=9p2000.L,msize=512000,cache=loose tare-host /host || exit 1
# noinit_itable: otherwise the kernel would write inode tables for the first minutes, while the benchmark runs.
$b mount -t ext4 -o noatime,noinit_itable /dev/vda /scratch || exit 1
$b mkdir -p /scratch/upper /scratch/work /scratch/x
$b mount -t overlay -o lowerdir=/host,upperdir=/scratch/upper,workdir=/scratch/work overlay /root || exit 1
$b mkdir -p /root/tare
$b mount --move /scratch /root/tare
$b mount -t 9p -o trans=virtio,version=9p2000.L,msize=512000 tare-exchange /root/tare/x || exit 1
$b mount --move /dev /root/dev
$b mount --move /proc /root/proc
exec $b switch_root /root /bin/sh /tare/x/start.sh

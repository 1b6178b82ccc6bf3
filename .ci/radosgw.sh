# An S3 server on this machine: the RADOS gateway of Ceph over one monitor and one OSD that keeps objects in memory.

install_radosgw() {
  apt-get install -y -qq --no-install-recommends radosgw ceph-mon ceph-osd ceph-common curl >/dev/null
}

# start_radosgw DIR PORT: listens on 127.0.0.1:PORT; the monitor takes the two ports after it.
start_radosgw() {
  local dir=$1 port=$2 mon=$(($2 + 1)) fsid
  fsid=$(cat /proc/sys/kernel/random/uuid)
  mkdir -p "$dir"/{mon,osd,log,run,rgw}
  cat >"$dir/ceph.conf" <<CONF
[global]
fsid = $fsid
mon host = [v2:127.0.0.1:$mon,v1:127.0.0.1:$((mon + 1))]
public addr = 127.0.0.1
cluster addr = 127.0.0.1
auth cluster required = none
auth service required = none
auth client required = none
auth supported = none
ms mon client mode = crc
ms mon service mode = crc
ms mon cluster mode = crc
ms client mode = crc
ms service mode = crc
ms cluster mode = crc
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 4
osd pool default pgp num = 4
osd crush chooseleaf type = 0
mon allow pool size one = true
mon max pg per osd = 1000
mon data = $dir/mon
mon data avail crit = 1
mon data avail warn = 2
log file = $dir/log/\$name.log
admin socket = $dir/run/\$name.asok
pid file = $dir/run/\$name.pid
run dir = $dir/run
crash dir = $dir/run
[osd]
osd data = $dir/osd
osd objectstore = memstore
memstore device bytes = 6442450944
[client]
rgw data = $dir/rgw
rgw frontends = beast endpoint=127.0.0.1:$port
rgw dns name = localhost
rgw enable usage log = false
rgw thread pool size = 64
rgw gc obj min wait = 5
rgw gc processor period = 5
CONF
  local ceph=(-c "$dir/ceph.conf") osd
  monmaptool --create --clobber --fsid "$fsid" --addv a "[v2:127.0.0.1:$mon,v1:127.0.0.1:$((mon + 1))]" "$dir/monmap" >/dev/null
  ceph-mon "${ceph[@]}" -i a --mkfs --monmap "$dir/monmap"
  ceph-mon "${ceph[@]}" -i a -f >"$dir/log/mon.out" 2>&1 &
  echo $! >"$dir/mon.pid"
  osd=$(cat /proc/sys/kernel/random/uuid)
  timeout 60 ceph "${ceph[@]}" osd new "$osd" >/dev/null
  ceph-osd "${ceph[@]}" -i 0 --mkfs --osd-uuid "$osd" >"$dir/log/mkfs.out" 2>&1
  timeout 30 ceph "${ceph[@]}" osd crush add osd.0 1.0 host=h root=default 2>/dev/null || true
  ceph-osd "${ceph[@]}" -i 0 -f >"$dir/log/osd.out" 2>&1 &
  echo $! >"$dir/osd.pid"
  wait_for 'the OSD' ceph_osd_is_up "$dir"
  radosgw "${ceph[@]}" -n client.rgw -f >"$dir/log/rgw.out" 2>&1 &
  echo $! >"$dir/rgw.pid"
  wait_for 'the gateway' curl -s -o /dev/null "http://127.0.0.1:$port/"
  radosgw-admin "${ceph[@]}" user create --uid=docgate --display-name=docgate --access-key=DOCGATE --secret-key=docgate-secret >/dev/null
}

# Says what the tests need to know; source it in the shell that runs them.
export_radosgw() {
  export TEST_S3_ENDPOINT=http://127.0.0.1:$2 TEST_S3_ACCESS_KEY=DOCGATE TEST_S3_SECRET_KEY=docgate-secret TEST_S3_CONF=$1/ceph.conf
}

stop_radosgw() {
  local name pid
  for name in rgw osd mon; do
    pid=$(cat "$1/$name.pid" 2>/dev/null) || continue
    kill "$pid" 2>/dev/null || continue
    for _ in $(seq 150); do kill -0 "$pid" 2>/dev/null || break; sleep 0.2; done
  done
}

ceph_osd_is_up() { ceph -c "$1/ceph.conf" osd stat 2>/dev/null | grep -q '1 up'; }

# wait_for WHAT COMMAND…: for a minute at most
wait_for() {
  local what=$1 _
  shift
  for _ in $(seq 120); do "$@" && return; sleep 0.5; done
  echo "$what did not come up" >&2
  return 1
}

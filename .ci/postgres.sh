# PostgreSQL of Debian on a port of its own, as a user without rights: initdb and the server refuse to run as root.
start_postgres() {
  local dir=$1 port=$2 bin
  bin=$(ls -d /usr/lib/postgresql/*/bin | sort -V | tail -1)
  mkdir -p "$dir" && chown postgres "$dir"
  (cd "$dir" && setpriv --reuid=postgres --regid=postgres --clear-groups bash -c "
    '$bin/initdb' -D data -A trust -U postgres --locale=C.UTF-8 >initdb.log
    '$bin/pg_ctl' -D data -l server.log -w -o '-p $port -k $dir -c max_connections=200 -c fsync=off' start >/dev/null")
}

stop_postgres() {
  local bin
  bin=$(ls -d /usr/lib/postgresql/*/bin | sort -V | tail -1)
  setpriv --reuid=postgres --regid=postgres --clear-groups "$bin/pg_ctl" -D "$1/data" -m immediate stop >/dev/null || true
}

# shellcheck shell=bash disable=SC2034,SC2154 # a part of scripts/servers
# MariaDB, which Debian ships in MySQL's place: syncs every commit by default.
user=mysql port_default=3344 stop_signal=TERM

missing_packages() { have mariadbd mariadb-install-db mariadb || say mariadb-server; }

prepare() {
    [[ ! -e db/mysql ]] || return 0
    rm -rf db.new
    as_user mkdir db.new
    as_user mariadb-install-db --no-defaults --datadir="$dir/db.new" --skip-test-db \
        --auth-root-authentication-method=normal >log 2>&1 ||
        fail_with_log "could not be prepared"
    rm -rf db
    mv db.new db
}

launch() {
    local line options=()
    while read -r line; do options+=("--$line"); done < <(recall_sets)
    # The socket's path is relative to the data: a full one may be longer than the system takes.
    spawn mariadbd --no-defaults --datadir="$dir/db" --port="$(recall port)" \
        --bind-address=127.0.0.1 --socket=socket --innodb-buffer-pool-size=256M \
        --max-connections=200 --max-allowed-packet=64M "${options[@]}"
}

ready() { sql -e 'select 1'; }

# Twice, because MariaDB prefers the name of the host where it knows it.
first_steps() {
    sql -e "create database if not exists infinitic;
        create user if not exists infinitic@'%' identified by 'infinitic';
        create user if not exists infinitic@localhost identified by 'infinitic';
        grant all on *.* to infinitic@'%'; grant all on *.* to infinitic@localhost;"
}

sql() { mariadb --no-defaults --connect-timeout=5 -h 127.0.0.1 -P "$(recall port)" -u root "$@"; }

version() { say "MariaDB $(mariadbd --version | grep -oE '[0-9]+\.[0-9.]+' | head -1)"; }
url() { say "mysql://infinitic:infinitic@127.0.0.1:$(recall port)/infinitic"; }
exports() { say "export INFINITIC_MYSQL_URL=$(url)"; }

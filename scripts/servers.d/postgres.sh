# shellcheck shell=bash disable=SC2034,SC2154 # a part of scripts/servers
# PostgreSQL as Debian ships it: syncs every commit by default.
user=postgres port_default=5544 stop_signal=INT

missing_packages() { [[ -n "$(bin)" ]] || say postgresql; }

# Debian keeps them out of the path, by version.
bin() {
    local newest
    newest="$(find /usr/lib/postgresql -path '*/bin/postgres' -printf '%h\n' 2>/dev/null |
        sort -V | tail -1)"
    if [[ -n "$newest" ]]; then
        say "$newest"
    elif have initdb postgres psql; then
        dirname "$(command -v postgres)"
    fi
}

prepare() {
    [[ ! -e db/PG_VERSION ]] || return 0
    # A start that was cut short here begins anew.
    rm -rf db.new password
    chmod 700 db
    (umask 077 && say infinitic >password)
    if [[ "$(id -u)" == 0 ]]; then chown "$user:" password; fi
    as_user "$(bin)/initdb" -D "$dir/db.new" -U postgres -E UTF8 --locale=C \
        --auth=scram-sha-256 --pwfile=password >log 2>&1 ||
        fail_with_log "could not be prepared"
    rm -rf db password
    mv db.new db
}

launch() {
    local line options=()
    while read -r line; do options+=(-c "$line"); done < <(recall_sets)
    spawn "$(bin)/postgres" -D "$dir/db" -p "$(recall port)" -c listen_addresses=127.0.0.1 \
        -c unix_socket_directories= -c max_connections=200 -c shared_buffers=256MB "${options[@]}"
}

ready() { sql -c 'select 1'; }

first_steps() {
    [[ "$(sql -c "select 1 from pg_database where datname = 'infinitic'")" != 1 ]] || return 0
    sql -c "do \$\$ begin create role infinitic login createdb password 'infinitic';
        exception when duplicate_object then null; end \$\$" \
        -c 'create database infinitic owner infinitic'
}

sql() {
    PATH="$(bin):$PATH" PGPASSWORD=infinitic PGCONNECT_TIMEOUT=5 \
        psql -XqAt -h 127.0.0.1 -p "$(recall port)" -U postgres "$@"
}

version() { say "PostgreSQL $("$(bin)/postgres" --version | grep -oE '[0-9.]+' | head -1)"; }
url() { say "postgres://infinitic:infinitic@127.0.0.1:$(recall port)/infinitic"; }
exports() { say "export INFINITIC_POSTGRES_URL=$(url)"; }

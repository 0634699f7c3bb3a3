# shellcheck shell=bash disable=SC2034,SC2154 # a part of scripts/servers
# Redis, told to sync its log before it answers: by default it keeps little over a crash.
user=redis port_default=6344 stop_signal=TERM

missing_packages() { have redis-server redis-cli || say redis-server; }

prepare() { :; }

launch() {
    local line options=()
    while read -r line; do options+=("--${line%%=*}" "${line#*=}"); done < <(recall_sets)
    spawn redis-server --port "$(recall port)" --bind 127.0.0.1 --dir "$dir/db" \
        --requirepass infinitic --save '' --appendonly yes --appendfsync always \
        --maxmemory-policy noeviction "${options[@]}"
}

# While it reads its log it answers with an error.
ready() { [[ "$(REDISCLI_AUTH=infinitic timeout 5 redis-cli -p "$(recall port)" ping)" == PONG ]]; }

version() { say "Redis $(redis-server --version | sed 's/.* v=\([^ ]*\).*/\1/')"; }
url() { say "redis://:infinitic@127.0.0.1:$(recall port)/0"; }
exports() { say "export INFINITIC_REDIS_URL=$(url)"; }

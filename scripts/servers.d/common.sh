# shellcheck shell=bash disable=SC2034,SC2154,SC2164 # a part of scripts/servers
# What holds for every server. The file of each kind says `user`, `port_default`, `stop_signal`, and
# how to find, prepare, launch and ask it. `dir` is the folder of this instance.

do_install() { install_files; }

do_start() {
    local begin="$SECONDS"
    install_files
    enter
    if running; then
        [[ ${#wishes[@]} -eq 0 ]] || say "$kind runs already: stop it to change its settings"
    else
        remember
        local port
        for port in $(ports); do
            ! listening "$port" || fail "$kind: port $port is taken; --port 0 takes a free one"
        done
        prepare
        launch
        wait_until ready || fail_with_log "does not answer"
        first_steps
    fi
    say "$kind: $(url), $(version), data in $dir, $((SECONDS - begin)) s"
}

do_stop() { end_with "$stop_signal"; }
do_kill() { end_with KILL; }

do_restart() {
    do_stop
    do_start
}

do_status() {
    if running; then
        say "$kind: $(url), process $(pid), data in $dir"
    else
        say "$kind: does not run in $dir"
        return 1
    fi
}

do_env() {
    if running; then
        exports
    else
        say "servers: $kind does not run in $dir" >&2
        return 1
    fi
}

# Makes the folder of this instance ours, and keeps every other call away from it until we end.
enter() {
    mkdir -p "$dir/db"
    exec 9>"$dir/lock"
    flock 9
    become=()
    if [[ "$(id -u)" == 0 ]]; then
        become=(setpriv --reuid "$user" --regid "$(id -g "$user")" --init-groups --)
        chown "$user:" "$dir" "$dir/db"
        as_user test -w "$dir/db" ||
            fail "the user \`$user\` cannot enter $dir: give --data a folder that it can reach"
    fi
    cd "$dir" # not where that user may have no rights
}

# `settings` holds lines `port=N`, `http_port=N`, `recommended=yes` and `set KEY=VALUE`; the last one
# of a key holds.
remember() {
    ((!${#wishes[@]})) || printf '%s\n' "${wishes[@]}" >>settings
    [[ -n "$(recall port)" ]] || say "port=$port_default" >>settings
    [[ "$(recall port)" != 0 ]] || say "port=$(free_port)" >>settings
    remember_more
}

recall() { [[ ! -e "$dir/settings" ]] || sed -n "s/^$1=//p" "$dir/settings" | tail -1; }

# What `--set` said, as KEY=VALUE, without what was said again later.
recall_sets() { sed -n 's/^set //p' settings | tac | awk -F= '!seen[$1]++'; }

# Below the range from which the system gives out ports by itself.
free_port() {
    local port
    while port=$((20000 + RANDOM % 12000)); do
        if ! listening "$port" && ! listening $((port + 1)); then break; fi
    done
    say "$port"
}

listening() { (: <"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

# Servers refuse to run as root. `become` replaces itself by what it runs: the process stays the same.
as_user() { "${become[@]}" "$@"; }

# Starts a server as the leader of a process group, so that `kill` gets its children too.
# A process number may be given out again: its start time tells whose it is.
spawn() {
    (exec 8>&- 9>&- && exec "${become[@]}" setsid "$@") </dev/null >>log 2>&1 &
    local number=$! start
    wait_until leads "$number"
    start="$(start_of "$number")"
    [[ -n "$start" ]] || fail_with_log "has ended"
    say "$number $start" >pid
}

# `setpriv` and `setsid` become the server itself; before that, its group is not its own.
leads() {
    local group
    group="$(ps -o pgid= -p "$1")" || return 0 # it has ended
    [[ "${group// /}" == "$1" ]]
}

# The start of a process in clock ticks since boot; nothing when it has ended.
start_of() {
    { sed 's/.*) //' "/proc/$1/stat" 2>/dev/null || true; } | awk '$1 !~ /[ZX]/ { print $20 }'
}

pid() { cut -d' ' -f1 "$dir/pid"; }

running() {
    local number start
    [[ -s "$dir/pid" ]] && read -r number start <"$dir/pid" &&
        [[ -n "$start" && "$(start_of "$number")" == "$start" ]]
}

# Waits for a command to succeed; gives up when the server has ended, or after two minutes.
wait_until() {
    local until=$((SECONDS + 120))
    until "$@" >/dev/null 2>&1; do
        if [[ "$1" == ready ]] && ! running; then fail_with_log "has ended"; fi
        ((SECONDS < until)) || return 1
        sleep 0.1
    done
}

# Ends what did not come up: a later start must find no half of it.
fail_with_log() {
    ! running || end_with KILL
    tail -20 log >&2
    fail "$kind $1, see $dir/log"
}

# The pid file stays after a kill: the next start sees by it that the last end was not orderly.
end_with() {
    running || return 0
    local number
    number="$(pid)"
    if [[ "$1" == KILL ]]; then kill -KILL -- "-$number"; else kill "-$1" "$number"; fi
    wait_until gone || fail "$kind still runs as process $number"
    [[ "$1" == KILL ]] || rm -f "$dir/pid"
    say "$kind: ended"
}

# A process that was killed may hold its ports for a moment.
gone() {
    local port
    ! running || return 1
    for port in $(ports); do ! listening "$port" || return 1; done
}

# What a kind may say otherwise.
install_files() { :; }
remember_more() { :; }
first_steps() { :; }
ports() { recall port; }

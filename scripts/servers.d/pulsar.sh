# shellcheck shell=bash disable=SC2034,SC2154 # a part of scripts/servers
# Apache Pulsar in one Java process: broker, bookie and metadata. The settings that it ships for that,
# but for what loopback needs, and for those that differ from what it ships for a real cluster: that
# one syncs its journal before it confirms a message.
user=nobody port_default=6650 stop_signal=TERM

# 4.0 is the long-term line, and runs on Java 17.
readonly VERSION=4.0.8
readonly SHA512=65b769b10696cdfebf7fc5bcdc95dd663702e27051e616c1a13cb100e91279525be35352171befe7b\
0011176330aab29bd0a6c8a0f2f0646641af46d2e33cbd6
home="$cache/apache-pulsar-$VERSION"
java="${JAVA_HOME:+$JAVA_HOME/bin/}java"

missing_packages() {
    have "$java" || say default-jre-headless
    have curl || say curl
    # Only to get the distribution.
    [[ -d "$home" ]] || have mvn || say maven
}

# Gets Pulsar's own distribution (245 MB) from Maven Central once, for all checkouts.
install_files() {
    local major
    major="$("$java" -version 2>&1 | sed -n 's/.* version "\([0-9]*\).*/\1/p')"
    ((${major:-0} >= 17)) || fail "Pulsar wants Java 17 or later, and $java is ${major:-unknown}"
    [[ ! -d "$home" ]] || return 0
    mkdir -p "$cache"
    exec 8>"$cache/lock"
    flock 8 # another process may be at it
    [[ ! -d "$home" ]] || return 0
    local archive="$cache/unpack/pulsar-server-distribution-$VERSION-bin.tar.gz"
    say "gets Pulsar $VERSION, 245 MB"
    rm -rf "$cache/unpack"
    mkdir -p "$cache/unpack"
    (cd "$cache/unpack" && mvn -B -q -Dstyle.color=never \
        org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy \
        "-Dartifact=org.apache.pulsar:pulsar-server-distribution:$VERSION:tar.gz:bin" \
        -DoutputDirectory="$cache/unpack") || fail "Maven could not get Pulsar $VERSION"
    sha512sum --quiet -c - <<<"$SHA512  $archive" || fail "the archive of Pulsar is not the known one"
    tar -xzf "$archive" -C "$cache/unpack" --no-same-owner
    mv "$cache/unpack/apache-pulsar-$VERSION" "$home"
    rm -rf "$cache/unpack"
    exec 8>&-
    archive_classes || say "WARNING: no archive of classes: every start takes twice as long"
}

# Records the classes that a first run loads, for the later ones to map.
archive_classes() {
    local data="$cache/training"
    rm -rf "$data"
    PULSAR_JAVA_OPTS="-XX:ArchiveClassesAtExit=$data/pulsar/classes.jsa" \
        "$here/servers" start pulsar --data "$data" --port 0 >/dev/null &&
        "$here/servers" stop pulsar --data "$data" >/dev/null &&
        mv "$data/pulsar/classes.jsa" "$home" &&
        rm -rf "$data"
}

# Three ports; the one of the bookie follows the broker's.
remember_more() {
    local default=8080
    if wished 'port=0' && ! wished 'http_port='; then default=0; fi
    [[ -n "$(recall http_port)" && "$default" != 0 ]] || say "http_port=$default" >>settings
    [[ "$(recall http_port)" != 0 ]] || say "http_port=$(free_port)" >>settings
}

ports() { recall port && say $(($(recall port) + 1)) && recall http_port; }

prepare() {
    {
        if [[ "$(recall recommended)" == yes ]]; then
            say managedLedgerNewEntriesCheckDelayInMillis=0
            say journalFlushWhenQueueEmpty=true
        fi
        cat <<END
brokerServicePort=$(recall port)
webServicePort=$(recall http_port)
bindAddress=127.0.0.1
advertisedAddress=127.0.0.1
listeningInterface=lo
allowLoopback=true
metadataServiceUri=metadata-store:rocksdb://$dir/db/metadata
journalSyncData=true
journalMaxSizeMB=256
managedLedgerDefaultMarkDeleteRateLimit=1.0
backlogQuotaDefaultLimitGB=-1
webSocketServiceEnabled=false
forceDeleteTenantAllowed=true
forceDeleteNamespaceAllowed=true
END
    } >ours
    # The first that names a key holds: what was asked for, then ours, then what Pulsar ships.
    recall_sets | cat - ours "$home/conf/standalone.conf" |
        awk -F= '!/^#/ && NF && !seen[$1]++' >standalone.conf
    [[ ! -e pid ]] || forget_bookie
}

# After a kill the bookie is still registered, and one that meets its own registration deletes and
# creates it without end. Listing the bookies drops it. Fails when there is none: that is fine.
forget_bookie() {
    as_java org.apache.bookkeeper.bookie.BookieShell -conf standalone.conf listbookies -readwrite \
        >>log 2>&1 || true
}

launch() {
    flags
    spawn "$java" "${flags[@]}" org.apache.pulsar.PulsarStandaloneStarter \
        --no-functions-worker --no-stream-storage --config standalone.conf \
        --metadata-dir "$dir/db/metadata" --bookkeeper-dir "$dir/db/bookkeeper" \
        --bookkeeper-port "$(($(recall port) + 1))"
}

as_java() { flags && as_user "$java" "${flags[@]}" "$@"; }

# What Pulsar's own launcher says, with less memory, and only the first compiler: it is enough, and
# leaves more of a small machine to the tests.
flags() {
    local opened=(
        java.base/{java.io,java.nio,java.util.zip,jdk.internal.misc,jdk.internal.platform}
        java.management/sun.management
        jdk.management/com.sun.management.internal
    )
    opened=("${opened[@]/%/=ALL-UNNAMED}")
    local metadata=org.apache.pulsar.metadata.bookkeeper
    flags=(
        -cp "$home/lib/*" -Xms256m -Xmx256m -XX:MaxDirectMemorySize=256m -XX:+UseSerialGC
        -XX:TieredStopAtLevel=1 -XX:+ExitOnOutOfMemoryError -XX:-UsePerfData
        -Dpulsar.allocator.exit_on_oom=true -Dio.netty.tryReflectionSetAccessible=true
        -Djava.net.preferIPv4Stack=true --enable-native-access=ALL-UNNAMED
        "${opened[@]/#/--add-opens=}"
        "-Dbookkeeper.metadata.bookie.drivers=$metadata.PulsarMetadataBookieDriver"
        "-Dbookkeeper.metadata.client.drivers=$metadata.PulsarMetadataClientDriver"
        "-Dlog4j.configurationFile=$home/conf/log4j2.yaml" -Dlog4j.shutdownHookEnabled=false
        -Dpulsar.log.appender=Console -Dpulsar.log.dir=.
    )
    [[ ! -e "$home/classes.jsa" ]] || flags+=("-XX:SharedArchiveFile=$home/classes.jsa")
    # shellcheck disable=SC2206 # a list
    flags+=(${PULSAR_JAVA_OPTS:-})
}

# Its health check alone passes before the namespaces of a first start exist; this one comes last.
ready() {
    curl -fs -m 5 "$(admin_url)/admin/v2/namespaces/pulsar" | grep -qF '"pulsar/system"' &&
        curl -fs -m 10 "$(admin_url)/admin/v2/brokers/health"
}

version() { say "Pulsar $VERSION"; }
url() { say "pulsar://127.0.0.1:$(recall port)"; }
admin_url() { say "http://127.0.0.1:$(recall http_port)"; }
exports() { say "export INFINITIC_PULSAR_URL=$(url) INFINITIC_PULSAR_ADMIN_URL=$(admin_url)"; }

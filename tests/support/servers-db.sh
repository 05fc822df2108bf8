# shellcheck shell=bash
# What differs between MariaDB and MySQL: programs, configuration, accounts, replication. Sourced by
# servers; uses its dir, here, cache and the settings (FAMILY, BASE, SCHEMA, DB_*, REPL_PASSWORD, DATABASES).
# shellcheck disable=SC2154
TEMPLATE_FORMAT=1 # to be raised whenever the making of the template changes

# ---- programs ------------------------------------------------------------------------------------

is_oracle() { command -v mysqld >/dev/null && ! mysqld --no-defaults --version 2>&1 | grep -qi mariadb; }

# Sets server and client, the commands. BASE is the root that MySQL runs from, / for an installed one.
find_binaries() {
    if [[ $FAMILY == mariadb ]]; then
        server=(mariadbd) client=(mariadb)
        command -v mariadbd >/dev/null || die "mariadbd: not found; install mariadb-server"
    else
        [[ -n $BASE ]] || if is_oracle; then BASE=/; else BASE=$(mysql_root); fi
        server=(mysqld) client=(mysql)
        [[ $BASE == / ]] || root_commands "$BASE"
    fi
    ((REDIS == 0)) || command -v redis-server >/dev/null || die "redis-server: not found; install redis-server"
}

# SQL from standard input, as administrator: root has no password, but only the socket, in DIR, lets it in.
sql() { # NAME [OPTION...]
    "${client[@]}" --no-defaults --batch "${@:2}" -uroot -S "$dir/$1/sock" "$SCHEMA"
}

# One value, without the name of its column.
value() { sql "$1" -N <<<"$2"; } # NAME SELECT

# ---- data directories ----------------------------------------------------------------------------

write_conf() { # DATA-DIRECTORY: settings for initialisation and running
    cat <<CONF
[mysqld]
datadir = $1
innodb_buffer_pool_size = 64M
innodb_flush_log_at_trx_commit = 2
innodb_doublewrite = 0
innodb_buffer_pool_dump_at_shutdown = 0
innodb_buffer_pool_load_at_startup = 0
sync_binlog = 0
skip_name_resolve
CONF
    if [[ $FAMILY == mariadb ]]; then
        echo "innodb_log_file_size = 16M"
    else
        echo "innodb_redo_log_capacity = 64M"
        echo "performance_schema = OFF"
        echo "mysqlx = OFF"
        echo "secure_file_priv = NULL"
        [[ $BASE == / ]] || echo "lc_messages_dir = $BASE/usr/share/mysql
character_sets_dir = $BASE/usr/share/mysql/charsets
plugin_dir = $BASE/usr/lib/mysql/plugin"
    fi
    ((EUID != 0)) || echo "user = root"
}

write_server_conf() { # NAME ID
    local d=$dir/$1
    write_conf "$d/data"
    cat <<CONF
server_id = $2
bind_address = 127.0.0.1
port = $(<"$d/port")
socket = $d/sock
pid_file = $d/mysqld.pid
max_connections = 600
report_host = 127.0.0.1
log_bin = binlog
relay_log = relay
relay_log_recovery = ON
CONF
    if [[ $FAMILY == mariadb ]]; then
        printf '%s\n' 'binlog_format = ROW' 'log_slave_updates = ON' 'gtid_strict_mode = ON'
    else
        printf '%s\n' 'gtid_mode = ON' 'enforce_gtid_consistency = ON' 'log_replica_updates = ON'
    fi
}

# An initialised data directory to copy, without binary log, so that every copy starts at an empty
# position. Kept in the cache for all runs, or in DIR where there is no place for a cache.
make_template() {
    local key
    key=$("${server[@]}" --no-defaults --version 2>&1 | tr -cs 'A-Za-z0-9.\n' _ | tail -n 1)
    mkdir -p "$cache" 2>/dev/null && [[ -w $cache ]] || cache=$dir/template
    template=$cache/data$TEMPLATE_FORMAT-${key##*_Ver_}
    [[ ! -e $template ]] || return 0
    mkdir -p "$cache"
    local new
    new=$(mktemp -d "$cache/new.XXXXXX")
    write_conf "$new/data" >"$new/my.cnf"
    if ! fill_template "$new" >"$new/log" 2>&1; then
        tail -n 20 "$new/log" >&2
        die "could not make a data directory; the last lines of its log are above, all of them in $new/log"
    fi
    mv -T "$new/data" "$template" 2>/dev/null || true # another run may have been first
    rm -rf "$new"
}

fill_template() { # DIRECTORY
    if [[ $FAMILY == mariadb ]]; then
        mariadb-install-db --defaults-file="$1/my.cnf" --force --skip-test-db \
            --auth-root-authentication-method=normal
    else
        "${server[@]}" --defaults-file="$1/my.cnf" --initialize-insecure
    fi
}

write_init_sql() {
    local privileges='SELECT, INSERT, UPDATE, DELETE, CREATE, DROP, INDEX, ALTER, EXECUTE, CREATE TEMPORARY TABLES'
    local health='REPLICA MONITOR'
    [[ $FAMILY == mariadb ]] || health='REPLICATION CLIENT'
    echo "SET sql_log_bin = 0;"
    if [[ $FAMILY == mariadb ]]; then
        echo "DELETE FROM mysql.global_priv WHERE User = '' OR (User = 'root' AND Host <> 'localhost');"
        echo "FLUSH PRIVILEGES;"
    fi
    cat <<SQL
CREATE DATABASE $SCHEMA;
CREATE USER '$DB_USER'@'127.0.0.1' IDENTIFIED BY '$DB_PASSWORD';
GRANT $privileges ON $SCHEMA.* TO '$DB_USER'@'127.0.0.1';
GRANT $health ON *.* TO '$DB_USER'@'127.0.0.1';
CREATE USER 'replication'@'127.0.0.1' IDENTIFIED BY '$REPL_PASSWORD';
GRANT REPLICATION SLAVE ON *.* TO 'replication'@'127.0.0.1';
SQL
}

prepare_db() { # NAME
    local names id=1
    read -ra names <<<"$DATABASES"
    while [[ ${names[id - 1]} != "$1" ]]; do id=$((id + 1)); done
    cp -a --reflink=auto "$template" "$dir/$1/data"
    rm -f "$dir/$1/data/auto.cnf"
    write_server_conf "$1" "$id" >"$dir/$1/my.cnf"
    write_init_sql >"$dir/$1/init.sql"
}

# Roles survive a restart: only the current primary comes up writable.
launch_db() { # NAME
    local options=(--defaults-file="$dir/$1/my.cnf" --read-only=ON)
    [[ $1 != "$(<"$dir/current")" ]] || options[1]=--read-only=OFF
    [[ ! -e $dir/$1/init.sql ]] || options+=(--init-file="$dir/$1/init.sql")
    launch "$1" "${server[@]}" "${options[@]}"
}

# ---- replication ---------------------------------------------------------------------------------

# The statements below are written as for MySQL; MariaDB knows most of them by their older words.
replication_sql() { # NAME STATEMENTS
    local text=$2
    if [[ $FAMILY == mariadb ]]; then
        text=${text//CHANGE REPLICATION SOURCE/CHANGE MASTER}
        text=${text//SOURCE_/MASTER_}
    fi
    sql "$1" <<<"$text"
}

# Let NAME replicate from the current primary.
follow() { # NAME
    local position='SOURCE_AUTO_POSITION = 1, GET_SOURCE_PUBLIC_KEY = 1' before=
    if [[ $FAMILY == mariadb ]]; then
        position='MASTER_USE_GTID = slave_pos'
        before='SET GLOBAL gtid_slave_pos = @@global.gtid_current_pos;' # a former primary has written itself
    fi
    replication_sql "$1" "STOP REPLICA; $before
        CHANGE REPLICATION SOURCE TO SOURCE_HOST = '127.0.0.1', SOURCE_PORT = $(<"$dir/$(<"$dir/current")/port"),
            SOURCE_USER = 'replication', SOURCE_PASSWORD = '$REPL_PASSWORD',
            SOURCE_CONNECT_RETRY = 1, SOURCE_HEARTBEAT_PERIOD = 1, $position;
        START REPLICA;"
}

# Field of SHOW REPLICA STATUS, by MySQL's name; empty if the server does not replicate.
replica_field() { # NAME FIELD
    local field=$2
    [[ $FAMILY == mysql ]] || field=${field/Replica_/Slave_}
    sql "$1" --vertical <<<'SHOW REPLICA STATUS' | sed -n "s/^ *$field: //p"
}

wait_follows() { # NAME
    local end=$((SECONDS + START_TIMEOUT_S))
    until [[ $(replica_field "$1" 'Replica_\(IO\|SQL\)_Running' | tr -d '\n') == YesYes ]]; do
        if ((SECONDS >= end)); then
            replica_field "$1" 'Last_\(IO\|SQL\)_Error' >&2
            die "$1: expected both replication threads to run within $START_TIMEOUT_S s; their errors are above"
        fi
        sleep 0.05
    done
}

# A server that was started and is not the primary: a former primary has no source yet.
rejoin() { # NAME
    [[ -n $(replica_field "$1" Source_Host)$(replica_field "$1" Master_Host) ]] || follow "$1"
}

lag() { # NAME SECONDS
    replication_sql "$1" "STOP REPLICA; CHANGE REPLICATION SOURCE TO SOURCE_DELAY = $2,
        SOURCE_HEARTBEAT_PERIOD = 1; START REPLICA;" # MariaDB forgets the period at each change
}

apply_off() { replication_sql "$1" 'STOP REPLICA SQL_THREAD;'; }
apply_on() { replication_sql "$1" 'START REPLICA SQL_THREAD;'; }

# Position up to which NAME, a primary, has written.
written() {
    local variable=gtid_executed
    [[ $FAMILY == mysql ]] || variable=gtid_binlog_pos
    value "$1" "SELECT REPLACE(@@global.$variable, '\n', '')"
}

# Position up to which NAME, a replica, has received.
received() {
    if [[ $FAMILY == mariadb ]]; then
        replica_field "$1" Gtid_IO_Pos
    else
        value "$1" "SELECT REPLACE(received_transaction_set, '\n', '')
            FROM performance_schema.replication_connection_status"
    fi
}

applied() { # NAME POSITION: true once NAME has applied it, false after PROMOTE_TIMEOUT_S
    local wait=WAIT_FOR_EXECUTED_GTID_SET
    [[ -n $2 ]] || return 0
    [[ $FAMILY == mysql ]] || wait=MASTER_GTID_WAIT
    [[ $(value "$1" "SELECT $wait('$2', $PROMOTE_TIMEOUT_S)") == 0 ]]
}

# First the old primary refuses writes, then the new one catches up, then it is opened: at no moment do two
# servers accept writes.
promote() { # NAME
    local old position name
    old=$(<"$dir/current")
    if alive "$old"; then
        [[ $state != T ]] || die "$old: expected a primary that runs or is gone, but it is frozen: start or kill it"
        sql "$old" <<<'SET GLOBAL read_only = 1'
        lag "$1" 0
        position=$(written "$old")
    else
        say "$old is down: what it had not sent to $1 is lost"
        apply_on "$1"
        position=$(received "$1")
    fi
    if ! applied "$1" "$position"; then
        ! alive "$old" || sql "$old" <<<'SET GLOBAL read_only = 0'
        die "$1: expected it to apply $position within $PROMOTE_TIMEOUT_S s; $old stays the primary"
    fi
    replication_sql "$1" 'STOP REPLICA; RESET REPLICA ALL;'
    echo "$1" >"$dir/current"
    sql "$1" <<<'SET GLOBAL read_only = 0'
    for name in $DATABASES; do
        if [[ $name != "$1" ]] && alive "$name"; then
            follow "$name"
            wait_follows "$name"
        fi
    done
    print_yaml >"$dir/twotier.yaml"
}

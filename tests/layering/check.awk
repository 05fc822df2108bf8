# check.awk: run in lib/ over its sources; prints "file:line: why" for each include that the layers
# forbid. Exit status 1 when there is one.
#
#     base <- core <- drv <- svc <- api       each may include itself and what stands to its left

BEGIN {
    below["base"] = "base"
    below["core"] = "base core"
    below["drv"] = "base core drv"
    below["svc"] = "base core drv svc"
    below["api"] = "base core drv svc api"

    # Plain C11: nothing that waits, asks the time, or reaches out of the process.
    plain = "assert ctype errno float inttypes limits math stdalign stdarg stdatomic stdbool stddef " \
            "stdint stdio stdlib string"
    system_of["base"] = words(plain " sys/random time", ".h")
    system_of["core"] = words(plain, ".h")
    # base knows nothing of the domain: of the public headers it sees those two, and their macro.
    public_of["base"] = " twotier/error.h twotier/host.h twotier/export.h "

    # Dependencies, and the one place of each.
    owner("mysql.h", "drv/drv_mysql", "the driver of the database")
    owner("mysqld_error.h", "drv/drv_mysql", "the driver of the database")
    owner("errmsg.h", "drv/drv_mysql", "the driver of the database")
    owner("hiredis.h", "drv/drv_redis", "the driver of Redis")
    owner("yaml.h", "drv/conf_yaml.c", "the reader of configuration files")
    owner("xxhash.h", "base/hash", "the hash of base")
}

function words(list, ending,    parts, n, i, out) {
    n = split(list, parts, " ")
    for (i = 1; i <= n; i++)
        out = out " " parts[i] ending
    return out " "
}

function owner(header, place, name) {
    place_of[header] = place
    name_of[header] = name
}

function refuse(why) {
    printf "%s:%d: %s\n", FILENAME, FNR, why
    bad = 1
}

# mysql/mysql.h and mariadb/mysql.h are mysql.h by another way.
function dependency(header) {
    if (header ~ /^(mysql|mariadb)\//)
        return "mysql.h"
    if (header ~ /^hiredis\//)
        return "hiredis.h"
    return header
}

function check_quoted(header,    to) {
    to = header
    sub(/\/.*/, "", to)
    if (header !~ /^[a-z]+\/[a-z0-9_]+\.h$/ || !(to in below))
        refuse("\"" header "\": expected \"layer/name.h\" with a layer of lib, or <...>")
    else if (index(" " below[layer] " ", " " to " ") == 0)
        refuse(layer " includes \"" header "\", of a layer above it")
    else if (layer == "core" && header == "base/clock.h")
        refuse("core reads no clock: the time is an argument (now_ns)")
}

function check_angled(header,    name) {
    name = dependency(header)
    if (name in place_of) {
        if (index(FILENAME, place_of[name]) != 1)
            refuse("<" header "> is for " name_of[name] " alone (" place_of[name] "*)")
    } else if (header ~ /^twotier\//) {
        if ((layer in public_of) && index(public_of[layer], " " header " ") == 0)
            refuse(layer " knows nothing of the domain: not <" header ">")
    } else if ((layer in system_of) && index(system_of[layer], " " header " ") == 0) {
        refuse(layer " has no business with <" header ">")
    } else if (layer == "base" && header == "time.h" && FILENAME !~ /^base\/clock\./) {
        refuse("<time.h> in base is for base/clock.c alone")
    }
}

FNR == 1 {
    layer = FILENAME
    sub(/\/.*/, "", layer)
    files++
    if (!(layer in below))
        refuse("expected lib/LAYER/file")
}

/^[ \t]*#[ \t]*include/ {
    rest = $0
    sub(/^[ \t]*#[ \t]*include[ \t]*/, "", rest)
    if (match(rest, /^"[^"]+"/))
        check_quoted(substr(rest, 2, RLENGTH - 2))
    else if (match(rest, /^<[^>]+>/))
        check_angled(substr(rest, 2, RLENGTH - 2))
    else
        refuse("what is included cannot be told: " rest)
}

END {
    if (!files) {
        print "no sources"
        bad = 1
    }
    exit bad
}

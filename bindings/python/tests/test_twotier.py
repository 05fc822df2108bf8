"""The package on a real primary, two replicas and Redis.

TWOTIER_SERVERS is the script that starts them, TWOTIER_LAYOUT the program made of layout.c."""

import datetime
import decimal
import gc
import os
import pathlib
import subprocess
import tempfile
import threading
import time
import unittest

import twotier
from twotier import native

_servers = os.environ["TWOTIER_SERVERS"]
_directory = None
_client = None


def setUpModule():
    global _directory, _client
    _directory = tempfile.mkdtemp(prefix="twotier-python-")
    subprocess.run(
        [_servers, "up", _directory, "--owner", str(os.getpid())],
        check=True, stdout=subprocess.DEVNULL,
    )
    _client = twotier.Client(pathlib.Path(_directory, "twotier.yaml"))


def tearDownModule():
    _client.close()
    subprocess.run([_servers, "down", _directory], check=True, stdout=subprocess.DEVNULL)


def server_env(name):
    """A value of DIR/env."""
    script = f'. "{_directory}/env"; printf %s "${{{name}}}"'
    return subprocess.run(["bash", "-c", script], check=True, capture_output=True, text=True).stdout


def settings():
    """The primary alone, by keys."""
    return {
        "database": {
            "schema": server_env("TT_DB_SCHEMA"),
            "user": server_env("TT_DB_USER"),
            "primary": {"host": server_env("TT_PRIMARY_HOST"),
                        "port": int(server_env("TT_PRIMARY_PORT"))},
        }
    }


class LayoutTest(unittest.TestCase):
    def test_structs_are_those_of_the_compiler(self):
        program = os.environ["TWOTIER_LAYOUT"]
        lines = subprocess.run([program], check=True, capture_output=True, text=True).stdout
        seen = set()
        for line in lines.splitlines():
            struct, member, offset, size = line.split()
            cls = native.STRUCTS[struct]
            with self.subTest(struct=struct, member=member):
                if member == "-":
                    seen.add(struct)
                    self.assertEqual(int(size), native.ctypes.sizeof(cls))
                else:
                    field = getattr(cls, member)
                    self.assertEqual((int(offset), int(size)), (field.offset, field.size))
        self.assertEqual(seen, set(native.STRUCTS))


class ConfigTest(unittest.TestCase):
    def test_what_is_wrong_is_told(self):
        for config in ({"no.such.key": 1}, "database: [", {"database": {"pool": {"max": "x"}}}, {}):
            with self.subTest(config=config), self.assertRaises(twotier.UsageError) as caught:
                twotier.Client(config)
            self.assertEqual(caught.exception.name, "TT_E_CONFIG")

    def test_text_and_keys_do_what_the_file_does(self):
        text = pathlib.Path(_directory, "twotier.yaml").read_text()
        with twotier.Client(text) as client:
            client.check_ready()
            client.reload(text)
            with self.assertRaises(twotier.UsageError):
                client.reload({"x": 1})
        with twotier.Client(settings(), password=server_env("TT_DB_PASSWORD")) as client:
            self.assertEqual(client.read("SELECT 1").rows, [(1,)])

    def test_nobody_there(self):
        keys = {"database": {"schema": "x", "user": "x", "primary": {"host": "127.0.0.1", "port": 1}}}
        with self.assertRaises(twotier.Unavailable) as caught:
            twotier.Client(keys, password="")
        self.assertEqual(caught.exception.node, "127.0.0.1:1")


class QueryTest(unittest.TestCase):
    def setUp(self):
        _client.write("CREATE TABLE IF NOT EXISTS py (id INT PRIMARY KEY AUTO_INCREMENT, v BIGINT,"
                      " t TEXT)", no_tags=True)
        _client.write("DELETE FROM py")
        _client.write("INSERT INTO py VALUES (1, 10, 'one'), (2, 20, NULL)")

    def test_rows_and_columns(self):
        result = _client.read("SELECT id, v AS value, t FROM py ORDER BY id")
        self.assertEqual(result.columns, ["id", "value", "t"])
        self.assertEqual(result.types, ["int", "int", "text"])
        self.assertEqual(result.rows, [(1, 10, "one"), (2, 20, None)])
        self.assertEqual(list(result), result.rows)
        self.assertEqual(len(result), 2)
        self.assertEqual(result[1], (2, 20, None))
        self.assertEqual(result.dicts()[0], {"id": 1, "value": 10, "t": "one"})
        self.assertIn(result.source, ("replica", "primary"))
        self.assertTrue(result.node)
        self.assertEqual(_client.read("SELECT id FROM py WHERE id = 0").rows, [])

    def test_every_type_there_and_back(self):
        moment = datetime.datetime(2026, 2, 28, 23, 59, 58, 123456)
        long = -datetime.timedelta(hours=838, minutes=59, seconds=58)
        values = [None, -(1 << 63), (1 << 64) - 1, 2.5, decimal.Decimal("-1.2300"), "\u00e4\u20ac\U0001f600",
                  b"\x00\xff", moment.date(), moment, long]
        _client.write("CREATE TABLE IF NOT EXISTS py_types (n INT, i BIGINT, u BIGINT UNSIGNED,"
                      " d DOUBLE, e DECIMAL(20,4), t TEXT CHARACTER SET utf8mb4, b BLOB, da DATE,"
                      " dt DATETIME(6), ti TIME(6))", no_tags=True)
        _client.write("DELETE FROM py_types")
        marks = ", ".join("?" * len(values))
        _client.write(f"INSERT INTO py_types VALUES ({marks}), ({marks})",
                      values + [None] * len(values))
        result = _client.read("SELECT * FROM py_types ORDER BY i DESC", consistency="strong")
        self.assertEqual(sorted(result.rows, key=lambda row: row[1] is None),
                         [tuple(values), (None,) * len(values)])
        self.assertEqual(result.types, ["int", "int", "uint", "double", "decimal", "text", "blob",
                                        "date", "datetime", "time"])
        bound = _client.read("SELECT ?, ?, ?", [True, datetime.time(1, 2, 3), bytearray(b"x")])
        self.assertEqual(bound.rows[0][0], 1)

    def test_what_cannot_be_bound(self):
        for value, error in ((object(), TypeError), (1 << 64, OverflowError),
                             (datetime.datetime.now(datetime.timezone.utc), ValueError)):
            with self.assertRaises(error):
                _client.read("SELECT ?", [value])
        with self.assertRaises(TypeError):
            _client.read("SELECT v FROM py", cache_class="", tags="py")

    def test_a_cached_read_and_its_invalidation(self):
        def read():
            return _client.read("SELECT v FROM py WHERE id = ?", [1], cache_class="",
                                tags=["py:{1}"])

        read()
        hit = read()
        self.assertIn(hit.source, ("redis", "local"))
        self.assertFalse(hit.stale)
        info = _client.write("UPDATE py SET v = v + 1 WHERE id = ?", [1], tags=["py:{1}"])
        self.assertEqual((info.affected_rows, info.invalidated), (1, "done"))
        self.assertEqual(read().rows, [(11,)])
        _client.write("UPDATE py SET v = 99 WHERE id = 1", no_tags=True)
        _client.invalidate("py:1")
        self.assertEqual(read().rows, [(99,)])
        _client.clear(timeout=5)
        self.assertNotEqual(read().source, "redis")

    def test_errors_carry_what_the_server_said(self):
        with self.assertRaises(twotier.DataError) as caught:
            _client.write("INSERT INTO py VALUES (1, 1, '')")
        error = caught.exception
        self.assertEqual((error.name, error.server_errno, error.sqlstate),
                         ("TT_E_CONSTRAINT", 1062, "23000"))
        self.assertTrue(error.node)
        self.assertIn(error.message, str(error))
        with self.assertRaises(twotier.UsageError) as caught:
            _client.read("DELETE FROM py")
        self.assertEqual(caught.exception.name, "TT_E_STATEMENT")
        with self.assertRaises(twotier.UsageError) as caught:
            _client.read("SELECT v FROM py WHERE id = ?", [])
        self.assertEqual(caught.exception.name, "TT_E_PARAMETERS")

    def test_what_python_refuses_itself(self):
        for timeout in (0, -5, 3601, 4294967.396, float("nan")):
            with self.assertRaises(ValueError):
                _client.read("SELECT 1", timeout=timeout)
        with self.assertRaises(ValueError):
            _client.read("SELECT 1", consistency="bogus")
        self.assertEqual(_client.read("SELECT 1", timeout=3600).rows, [(1,)])

    def test_sessions_and_transactions(self):
        with _client.session() as session:
            self.assertEqual(session.token, "")
            with session.transaction():
                self.assertEqual(session.transaction_state, "open")
                info = session.write("INSERT INTO py (v, t) VALUES (?, ?)", [30, "three"])
                self.assertEqual(info.invalidated, "at_commit")
                self.assertEqual(session.read("SELECT COUNT(*) FROM py").rows, [(3,)])
            self.assertIsNone(session.transaction_state)
            self.assertTrue(session.token)
            other = _client.session(session.token)
            self.assertEqual(other.read("SELECT COUNT(*) FROM py").rows, [(3,)])
            with self.assertRaises(twotier.DataError):
                other.adopt("nonsense!")
            with self.assertRaises(KeyError), session.transaction():
                session.write("DELETE FROM py")
                raise KeyError
            self.assertEqual(session.read("SELECT COUNT(*) FROM py").rows, [(3,)])
            session.begin(timeout=5)
            with self.assertRaises(twotier.UsageError):
                session.begin()
            self.assertEqual(session.commit().affected_rows, 0)
            session.rollback()
        with self.assertRaises(ValueError):
            session.read("SELECT 1")

    def test_documents(self):
        self.assertIsInstance(_client.status(), dict)
        self.assertIn("# TYPE", _client.metrics())
        why = _client.explain("SELECT v FROM py WHERE id = ?", [1], cache_class="")
        self.assertIsInstance(why, dict)

    def test_threads_share_a_client(self):
        seen = []

        def work():
            for _ in range(20):
                seen.append(_client.read("SELECT v FROM py WHERE id = 1", cache_class="").rows)

        threads = [threading.Thread(target=work) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(seen, [[(10,)]] * 160)

    def test_closing_closes_the_sessions(self):
        client = twotier.Client(pathlib.Path(_directory, "twotier.yaml"))
        session = client.session()
        session.begin()
        client.close()
        client.close()
        for use in (session.rollback, client.session, lambda: client.read("SELECT 1")):
            with self.assertRaises(ValueError):
                use()

    def test_the_collector_may_take_both_at_once(self):
        for _ in range(5):
            client = twotier.Client(pathlib.Path(_directory, "twotier.yaml"))
            session = client.session()
            session.begin()
            client.kept = session  # a cycle
            del client, session
            gc.collect()

    def test_no_handle_is_freed_while_a_call_runs(self):
        client = twotier.Client({**settings(), "read": {"unproven": "primary"}},
                                password=server_env("TT_DB_PASSWORD"))
        session = client.session()
        for sleeper, refused in ((client, (client.close,)),
                                 (session, (client.close, session.close,
                                            lambda: session.read("SELECT 1")))):
            done = []
            thread = threading.Thread(
                target=lambda: done.append(sleeper.read("SELECT SLEEP(1)", timeout=10).rows))
            thread.start()
            time.sleep(0.3)
            for use in refused:
                with self.assertRaises(RuntimeError):
                    use()
            thread.join()
            self.assertEqual(done, [[(0,)]])
        session.close()
        session.close()
        client.close()

    def test_a_child_is_told(self):
        child = os.fork()
        if child == 0:
            try:
                _client.read("SELECT 1")
            except twotier.UsageError as error:
                os._exit(0 if error.name == "TT_E_FORKED" else 1)
            os._exit(2)
        self.assertEqual(os.waitpid(child, 0)[1], 0)


if __name__ == "__main__":
    unittest.main()

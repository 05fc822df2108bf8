"""The handles of a client and of its sessions: who may use them, and in what order they are freed."""

import os
import threading

from .native import lib


class Handles:
    """Owned by a Client and all its Sessions together, and referring to none of them: whatever the
    garbage collector finalises first, the sessions are freed before the client. No handle is freed
    while a call uses it."""

    def __init__(self, client):
        self._client = client
        self._sessions = set()
        self._in_use = set()  # of the sessions
        self._calls = 0
        # A finaliser may run inside these sections, on the same thread.
        self._lock = threading.RLock()
        self._pid = os.getpid()

    def _locked(self):
        if self._pid != os.getpid():  # the child of a fork: no other thread is left
            self._pid = os.getpid()
            self._lock = threading.RLock()
            self._calls = 0
            self._in_use.clear()
        return self._lock

    def begin(self, session=None):
        """Before a call. The handle of the client; raises when it may not be made now."""
        with self._locked():
            if self._client is None:
                raise ValueError("the client is closed")
            if session is not None:
                if session not in self._sessions:
                    raise ValueError("the session is closed")
                if session in self._in_use:
                    raise RuntimeError("the session is in use by another thread")
                self._in_use.add(session)
            self._calls += 1
            return self._client

    def end(self, session=None):
        """After the call."""
        with self._locked():
            self._in_use.discard(session)
            self._calls = max(0, self._calls - 1)

    def add(self, session):
        """A session that was made between begin() and end()."""
        self._sessions.add(session)

    def free(self, session):
        """Free a session, unless it is freed already."""
        with self._locked():
            if session not in self._sessions:
                return
            if session in self._in_use:
                raise RuntimeError("the session is in use by another thread")
            self._sessions.discard(session)
            self._calls += 1
        try:
            lib.tt_session_free(session)
        finally:
            self.end()

    def close(self):
        """Free everything. More than once does nothing."""
        with self._locked():
            if self._client is None:
                return
            if self._calls:
                raise RuntimeError("a call of the client is running in another thread")
            client, self._client = self._client, None
            sessions, self._sessions = self._sessions, set()
        while sessions:
            lib.tt_session_free(sessions.pop())
        lib.tt_client_close(client)


class Use:
    """A `with` around a call: gives the handles of client and session."""

    def __init__(self, handles, session=None):
        self._handles = handles
        self._session = session

    def __enter__(self):
        return self._handles.begin(self._session), self._session

    def __exit__(self, *exc):
        self._handles.end(self._session)

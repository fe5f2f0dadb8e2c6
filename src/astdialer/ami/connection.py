"""A link to one Asterisk that comes back by itself: login, watchdog, back-off.

The life of a link is one coroutine, `run`; every task, timer and future belongs to it and ends with it.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import ssl
from collections.abc import Callable, Sequence

from astdialer import config
from astdialer.ami import values
from astdialer.ami.protocol import GuardedProtocol, Message
from astdialer.domain.errors import AstdialerError, LinkLost, Unavailable
from astdialer.ports import Clock

EVENTS = "call,agent"
BOOT_POLL_S = 0.2
BOOT_POLLS = 300  #: a minute; an Asterisk that has no app_queue at all is taken as it is then
STEADY_MS = 10_000  #: a link that lived this long was a good one: the next back-off begins anew

logger = logging.getLogger(__name__)


class LoginRefused(AstdialerError):
    """Asterisk did not let us in."""

    code = "login_refused"


class Backoff:
    """Waiting times that double, between half and the whole of each, so that many links don't knock together."""

    def __init__(self, first_s: float, longest_s: float, rng: Callable[[], float]) -> None:
        self._first_s, self._longest_s, self._rng = first_s, longest_s, rng
        self._next_s = first_s

    def next_s(self) -> float:
        """How long to wait now, in seconds."""
        chosen = self._next_s * (0.5 + 0.5 * self._rng())
        self._next_s = min(self._next_s * 2, self._longest_s)
        return chosen

    def reset(self) -> None:
        """The trouble is over."""
        self._next_s = self._first_s


class Connection:
    """One server's manager interface.

    `on_event` gets every wanted event, `on_up` and `on_down(reason)` frame them; all three are called in the order in
    which things happened and must not block. `rng` gives numbers from 0 to 1.
    """

    def __init__(
        self,
        settings: config.Ami,
        clock: Clock,
        rng: Callable[[], float],
        *,
        wanted: frozenset[str] = frozenset(),
        on_event: Callable[[Message], None] = lambda _: None,
        on_up: Callable[[], None] = lambda: None,
        on_down: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._settings, self._clock = settings, clock
        self._wanted, self._on_event, self._on_up, self._on_down = wanted, on_event, on_up, on_down
        self._reconnect = Backoff(0.2, 10.0, rng)
        self._relogin = Backoff(1.0, 60.0, rng)
        self._live: GuardedProtocol | None = None
        self._up = asyncio.Event()
        self._early: list[Message] = []
        self.why_down = "no connection yet"  #: empty when the link is up

    @property
    def is_up(self) -> bool:
        """Whether actions can be sent now."""
        return self._live is not None

    async def wait_up(self, timeout_s: float) -> None:
        """Return when the link is up; Unavailable, with the reason, if it is not within `timeout_s` seconds."""
        try:
            async with asyncio.timeout(timeout_s):
                await self._up.wait()
        except TimeoutError:
            raise Unavailable(f"{self._where}: {self.why_down}") from None

    async def action(self, action: values.Fields) -> Message:
        """Send an action and return its response, `Response: Error` too. It is never sent a second time.

        Raises BadValue and Unavailable (nothing was sent) and LinkLost (no answer within action_timeout_s).
        """
        return (await self._ask(action, as_list=False))[0]

    async def action_list(self, action: values.Fields) -> Sequence[Message]:
        """Send an action that is answered by a list; its items, without the response and the end of the list.

        Raises as `action` does, and Unavailable with Asterisk's words when it answers with an error.
        """
        response, *items = await self._ask(action, as_list=True)
        if response.get("Response") != "Success":
            raise Unavailable(f"{self._where}: {action['Action']}: {response.get('Message', 'refused')}")
        return items[:-1]

    async def run(self) -> None:
        """Keep the link up until cancelled."""
        while True:
            await self._clock.sleep(await self._one_session())

    @property
    def _where(self) -> str:
        return f"AMI {self._settings.host}:{self._settings.port}"

    async def _ask(self, action: values.Fields, *, as_list: bool) -> list[Message]:
        if self._live is None:
            raise Unavailable(f"{self._where}: {self.why_down}; nothing was sent")
        return await self._answer(self._live, action, as_list=as_list)

    async def _answer(self, session: GuardedProtocol, action: values.Fields, *, as_list: bool = False) -> list[Message]:
        answer = session.request(action, as_list=as_list)
        try:
            async with asyncio.timeout(self._settings.action_timeout_s):
                return await answer
        except TimeoutError:
            seconds = self._settings.action_timeout_s
            raise LinkLost(f"{self._where}: no answer to {action['Action']} within {seconds:g} s") from None

    async def _one_session(self) -> float:
        """Connect, log in, and stay until the link is lost; how many seconds to wait before the next time."""
        backoff = self._reconnect
        try:
            await self._session()
        except LoginRefused as error:
            backoff = self._relogin
            self._down(str(error))
        except (OSError, AstdialerError) as error:
            self._down(_reason(error))
        except Exception as error:
            logger.exception("ami.link_failed", extra={"server": self._where})
            self._down(_reason(error))
        seconds = backoff.next_s()
        logger.warning("ami.down", extra={"server": self._where, "reason": self.why_down, "retry_s": round(seconds, 1)})
        return seconds

    async def _session(self) -> None:
        lost = asyncio.Event()

        def on_lost(reason: str) -> None:
            self._down(reason)
            lost.set()

        session = await self._connect(on_lost)
        try:
            await self._login(session)
            await self._booted(session)
            self._go_up(session)
            began = self._clock.now()
            await self._stay(session, lost)
            if self._clock.now() - began >= STEADY_MS:
                self._reconnect.reset()
        finally:
            session.fail("stopped")

    async def _connect(self, on_lost: Callable[[str], None]) -> GuardedProtocol:
        ours, tls = self._settings, _tls(self._settings)
        try:
            async with asyncio.timeout(ours.action_timeout_s):
                _, session = await asyncio.get_running_loop().create_connection(
                    lambda: GuardedProtocol(self._event, on_lost, self._wanted),
                    ours.host,
                    ours.port,
                    ssl=tls,
                    server_hostname=ours.host if tls else None,
                )
        except TimeoutError:
            raise Unavailable(f"no connection within {ours.action_timeout_s:g} s") from None
        return session

    async def _login(self, session: GuardedProtocol) -> None:
        """By challenge, so that the secret itself is never on the wire."""
        response = await self._response(session, {"Action": "Challenge", "AuthType": "MD5"})
        challenge = response.get("Challenge")
        if not challenge:
            raise LoginRefused(f"Asterisk gives no MD5 challenge: {response.get('Message', 'no reason given')}")
        proof = hashlib.md5((challenge + self._settings.secret.reveal()).encode(), usedforsecurity=False).hexdigest()
        login = {"Action": "Login", "AuthType": "MD5", "Username": self._settings.username, "Key": proof}
        response = await self._response(session, {**login, "Events": EVENTS})
        if response.get("Response") != "Success":
            reason = response.get("Message", "no reason given")
            raise LoginRefused(
                f"Asterisk refuses the manager user {self._settings.username!r}: {reason}. Compare secret_file with "
                "manager.conf there, and the permit lines with this machine's address"
            )

    async def _booted(self, session: GuardedProtocol) -> None:
        """Wait until Asterisk has loaded its modules.

        It lets us in before that and refuses every Originate ("Extension does not exist."), which would spend a try of
        every contact. FullyBooted is only sent to users who may read `system`. app_queue comes after the dialplan, and
        asking for a queue that can't exist costs nothing.
        """
        self.why_down = "Asterisk is starting"
        for _ in range(BOOT_POLLS):
            response = (await self._answer(session, {"Action": "QueueStatus", "Queue": "-"}, as_list=True))[0]
            if response.get("Response") == "Success":
                return
            await self._clock.sleep(BOOT_POLL_S)
        logger.warning("ami.no_queues", extra={"server": self._where, "reason": response.get("Message", "")})

    async def _response(self, session: GuardedProtocol, action: values.Fields) -> Message:
        return (await self._answer(session, action))[0]

    async def _stay(self, session: GuardedProtocol, lost: asyncio.Event) -> None:
        watchdog = asyncio.create_task(self._watchdog(session), name=f"watchdog of {self._where}")
        try:
            await lost.wait()
        finally:
            watchdog.cancel()
            await asyncio.gather(watchdog, return_exceptions=True)

    async def _watchdog(self, session: GuardedProtocol) -> None:
        """Ping when nothing has come for watchdog_s; end the session when nothing comes of that either."""
        seconds = self._settings.watchdog_s
        while True:
            seen = session.chunks
            await self._clock.sleep(seconds)
            if session.chunks != seen:
                continue
            pong = session.request({"Action": "Ping"})
            await self._clock.sleep(seconds)
            pong.cancel()
            if session.chunks == seen:
                session.fail(f"Asterisk was silent for {2 * seconds:g} s and did not answer a ping")

    def _event(self, message: Message) -> None:
        if self._live is None:
            self._early.append(message)
        else:
            self._on_event(message)

    def _go_up(self, session: GuardedProtocol) -> None:
        if session.gone:
            raise LinkLost("the link broke right after the login")
        self._live, self.why_down = session, ""
        self._relogin.reset()
        self._up.set()
        logger.info("ami.up", extra={"server": self._where, "version": session.version})
        self._on_up()
        # They came in one read with the answer to Login, so before we knew that we are up.
        for message in self._early:
            self._on_event(message)
        self._early.clear()

    def _down(self, reason: str) -> None:
        was_up, self._live, self.why_down = self._live is not None, None, reason
        self._early.clear()
        if was_up:
            self._up.clear()
            self._on_down(reason)


def _reason(error: Exception) -> str:
    """A failed connection in words for people."""
    return str(error) or type(error).__name__


def _tls(settings: config.Ami) -> ssl.SSLContext | None:
    if not settings.tls:
        return None
    try:
        return ssl.create_default_context(cafile=settings.tls_ca or None)
    except OSError as error:
        raise Unavailable(f"tls_ca = {settings.tls_ca!r} can't be used: {error}") from error

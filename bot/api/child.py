"""A server's process beside the engine: started, watched, and started again when it ends."""

import asyncio
import os
import sys
from pathlib import Path
from typing import Literal

from bot.logs import Logger
from config import api, web

_FIRST_PAUSE_S = 1.0
_LONGEST_PAUSE_S = 60.0
_RAN_WELL_S = 60.0
_ENDS_WITHIN_S = 10.0
_PIECE = 65_536
_SECRETS = ("_API_KEY", "_API_SECRET", "_API_PASSPHRASE", "_PASSWORD", "_WEBHOOK")
_ALERTS = "PERPHEDGE_ALERT_"
_OF_SERVERS = {"api": api.VARIABLE, "web": web.VARIABLE}
_MAIN = "from bot.cli.main import main; main()"


def _environment(command: Literal["api", "web"]) -> dict[str, str]:
    """Ours, without secrets of exchanges, bots, alerts and the other server: it needs none."""
    others = {name for server, name in _OF_SERVERS.items() if server != command}
    return {
        name: value
        for name, value in os.environ.items()
        if not (name.endswith(_SECRETS) or name.startswith(_ALERTS) or name in others)
    }


class ServerChild:
    """One server process for as long as the engine runs; it ends with us, however we end."""

    def __init__(self, config: Path, log: Logger, command: Literal["api", "web"] = "api") -> None:
        self._config = config
        self._log = log
        self._command = command

    async def run(self) -> None:
        """Until it is cancelled. A server that cannot start is told, and tried again ever rarer."""
        pause_s = _FIRST_PAUSE_S
        loop = asyncio.get_running_loop()
        while True:
            begun = loop.time()
            try:
                code, words = await self._once()
            except OSError as error:
                code, words = None, f"cannot be started: {error.strerror}"
            if loop.time() - begun > _RAN_WELL_S:
                pause_s = _FIRST_PAUSE_S
            told = {"exit_code": code, "reason": words, "again_in_seconds": pause_s}
            if self._command == "web":
                self._log.error("web_ended", **told)
            else:
                self._log.error("api_ended", **told)
            await asyncio.sleep(pause_s)
            pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)

    async def _once(self) -> tuple[int, str]:
        """Its exit code and the last line that it said."""
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-P", "-c", _MAIN, self._command, "-c", str(self._config), "--child"),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
            env=_environment(self._command),
        )
        if self._command == "web":
            self._log.info("web_started", process=process.pid)
        else:
            self._log.info("api_started", process=process.pid)
        try:
            return await self._ended(process)
        finally:
            # Our end of its standard input closes, which is what it ends by.
            if process.stdin is not None:
                process.stdin.close()
            if process.returncode is None:
                process.terminate()
                try:
                    await asyncio.wait_for(process.wait(), _ENDS_WITHIN_S)
                except TimeoutError:
                    process.kill()
                    await process.wait()

    async def _ended(self, process: asyncio.subprocess.Process) -> tuple[int, str]:
        assert process.stderr is not None
        last = ""
        while piece := await process.stderr.read(_PIECE):
            lines = piece.decode(errors="replace").strip().splitlines()
            last = lines[-1][:500] if lines else last
        return await process.wait(), last

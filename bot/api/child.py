"""The API's process beside the engine: started, watched, and started again when it ends."""

import asyncio
import sys
from pathlib import Path

from bot.logs import Logger

_FIRST_PAUSE_S = 1.0
_LONGEST_PAUSE_S = 60.0
_RAN_WELL_S = 60.0
_MAIN = "from bot.cli.main import main; main()"


class ApiChild:
    """One server process for as long as the engine runs; it ends with us, however we end."""

    def __init__(self, config: Path, log: Logger) -> None:
        self._config = config
        self._log = log

    async def run(self) -> None:
        """Until it is cancelled. A server that cannot start is told, and tried again ever rarer."""
        pause_s = _FIRST_PAUSE_S
        loop = asyncio.get_running_loop()
        while True:
            begun = loop.time()
            code, words = await self._once()
            if loop.time() - begun > _RAN_WELL_S:
                pause_s = _FIRST_PAUSE_S
            self._log.error("api_ended", exit_code=code, reason=words, again_in_seconds=pause_s)
            await asyncio.sleep(pause_s)
            pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)

    async def _once(self) -> tuple[int, str]:
        """Its exit code and the last line that it said."""
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-P", "-c", _MAIN, "api", "-c", str(self._config), "--child"),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
        )
        self._log.info("api_started", process=process.pid)
        try:
            return await self._ended(process)
        finally:
            # Our end of its standard input closes, which is what it ends by.
            if process.stdin is not None:
                process.stdin.close()
            if process.returncode is None:
                process.terminate()
                await process.wait()

    async def _ended(self, process: asyncio.subprocess.Process) -> tuple[int, str]:
        assert process.stderr is not None
        last = ""
        while line := await process.stderr.readline():
            last = line.decode(errors="replace").strip() or last
        return await process.wait(), last

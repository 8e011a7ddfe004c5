"""A process that signs requests: its keys are in nothing that others can see of it."""

import contextlib
import subprocess
from pathlib import Path

from tests.e2e_scene import finish, live_config, served_exchange, start, write_positions

SECRETS = {
    "api_key_file": "sandbox-hedge-key",
    "api_secret_file": "sandbox-hedge-secret",
}
BOT = {
    "api_key_file": "sandbox-bot-key",
    "api_secret_file": "sandbox-bot-secret",
}


def key_files(folder: Path, name: str, secrets: dict[str, str]) -> dict[str, Path]:
    """Each in a private file."""
    made = {}
    for field, text in secrets.items():
        made[field] = folder / f"{name}-{field}"
        made[field].write_text(text)
        made[field].chmod(0o600)
    return made


def family(root: int) -> list[bytes]:
    """Command lines and environments of a process and of all that it has started."""
    seen, waiting = [], [root]
    while waiting:
        folder = Path(f"/proc/{waiting.pop()}")
        with contextlib.suppress(OSError):  # it has ended meanwhile
            seen.append((folder / "cmdline").read_bytes() + (folder / "environ").read_bytes())
            for task in (folder / "task").iterdir():
                waiting += [int(child) for child in (task / "children").read_text().split()]
    return seen


def test_keys_from_files_are_seen_nowhere(tmp_path: Path) -> None:
    with served_exchange() as served:
        config = live_config(tmp_path, served.host)
        text = config.read_text()
        lines = []
        for line in text.splitlines():
            lines.append(line)
            indent = line[: len(line) - len(line.lstrip())]
            if line.strip().startswith("urls_host:"):
                mine = SECRETS if len(indent) == 2 else BOT
                files = key_files(tmp_path, f"n{len(indent)}", mine)
                lines += [f"{indent}{field}: {path}" for field, path in files.items()]
        config.write_text(
            "\n".join([*lines, "log: {level: debug}", "data: {backfill_days: 15}", ""])
        )
        write_positions(tmp_path / "positions.json", {"FET/USDT:USDT": 12_000})
        process = start("check", "-c", str(config))
        seen: list[bytes] = []
        while process.poll() is None:
            seen += family(process.pid)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(0.2)
        finished = finish(process)
    assert finished.code == 0, finished.err
    assert seen, "it was looked at while it ran"
    assert "hedge-sub" in finished.out, "it has read the account with its key"
    everything = [*seen, finished.out.encode(), finished.err.encode()]
    for secret in (*SECRETS.values(), *BOT.values()):
        assert not [one for one in everything if secret.encode() in one], secret

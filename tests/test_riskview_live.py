"""``perphedge risk -c`` at the present, on an exchange behind the loopback."""

from pathlib import Path

import pytest

from tests.e2e_scene import LONGS, called, paper_config, served_exchange, write_positions


@pytest.mark.long
def test_the_present_is_measured_with_what_has_been_fetched(tmp_path: Path) -> None:
    with served_exchange() as served:
        config = paper_config(tmp_path, served.host)
        write_positions(tmp_path / "positions.json", LONGS)
        picture = tmp_path / "map.png"
        seen = called("risk", "-c", str(config), "--json", "--heatmap", str(picture))
        assert (seen.code, seen.err) == (0, "")
        document = seen.document
    exposure = document["exposure"]
    assert exposure["positions"].keys() == LONGS.keys()
    assert exposure["hedges"] == {}
    assert exposure["unmeasured"] == {}
    assert exposure["tail"]["history_days"] == pytest.approx(60, abs=1)
    assert exposure["var95_usd"] > 0
    assert document["breaches"]
    assert document["crowding"]
    assert picture.stat().st_size > 20_000

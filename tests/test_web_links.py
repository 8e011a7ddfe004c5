"""Signed links of alerts, from the address in the alert to the decision: without a login."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bot.approval import LINK_PATH, Action, PendingProposal, ProposalState, link
from bot.approval.link_key import link_key
from bot.approval.links import Link, sign
from bot.clock import SystemClock
from bot.halt import HaltSwitch
from config.settings import Settings
from tests.approval_scene import Approvals, decision
from tests.web_scene import ORIGIN, Browser, field, settings_of

SELL = decision(("FET", -1000.0, 0.0), ("TAO", -500.0, 0.0))
EVIL = "https://evil.example"


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Approvals]:
    """A proposal waits, now."""
    found = Approvals(tmp_path)
    found.clock.advance_to(SystemClock().now_ms())
    found.wants = SELL
    found.cycle()
    yield found
    found.close()


def waiting(engine: Approvals) -> PendingProposal:
    proposal = engine.newest
    assert proposal is not None
    assert proposal.state is ProposalState.PENDING
    return proposal


def with_links(folder: Path) -> Settings:
    settings = settings_of(folder)
    return settings.model_copy(
        update={"approval": settings.approval.model_copy(update={"link_url": ORIGIN})}
    )


class Phone(Browser):
    """Opens the links of alerts, and is logged in nowhere."""

    async def open(self, url: str) -> Any:
        assert url.startswith(f"{ORIGIN}{LINK_PATH}?token=")
        return await self.get(url.removeprefix(ORIGIN))

    async def press(self, page: str, **headers: str | None) -> Any:
        """The one button of the page."""
        form = {name: field(page, name) for name in ("form_token", "token")}
        return await self.post(LINK_PATH, form, **{"origin": ORIGIN, **headers})  # type: ignore[arg-type]  # of a foreign page


async def test_a_link_shows_then_decides_and_twice_does_no_harm(engine: Approvals) -> None:
    proposal = waiting(engine)
    phone = Phone(with_links(engine.folder))
    url = link(engine.folder, proposal, Action.APPROVE, ORIGIN)
    page = await phone.open(url)
    assert page.status_code == 200
    assert f"Approve {proposal.proposal_id}?" in page.text
    assert "−1,000.00" in page.text
    for _ in range(3):  # a mail program opens it too
        await phone.open(url)
    engine.cycle()
    assert engine.sent == [], "opening it decides nothing"
    done = await phone.press(page.text)
    assert done.status_code == 200
    assert f"Approved: {proposal.proposal_id}" in done.text
    again = await phone.press(page.text)
    assert again.status_code == 200
    assert "was approved already (a signed link); nothing was changed" in again.text
    engine.cycle()
    assert [one.proposal_id for one in engine.sent] == [proposal.proposal_id]
    late = await phone.press(page.text)
    assert "was approved already (a signed link)" in late.text
    assert (await phone.open(url)).status_code == 410
    engine.cycle()
    assert len([one for one in engine.sent if one.proposal_id == proposal.proposal_id]) == 1


async def test_a_link_that_rejects_rejects(engine: Approvals) -> None:
    proposal = waiting(engine)
    phone = Phone(with_links(engine.folder))
    page = await phone.open(link(engine.folder, proposal, Action.REJECT, ORIGIN))
    assert f"Reject {proposal.proposal_id}?" in page.text
    assert f"Rejected: {proposal.proposal_id}" in (await phone.press(page.text)).text
    engine.cycle()
    assert engine.sent == []
    assert engine.newest is not None
    assert engine.newest.state is ProposalState.REJECTED


async def test_links_that_were_changed_or_ended_or_are_of_others_open_nothing(
    engine: Approvals, tmp_path_factory: pytest.TempPathFactory
) -> None:
    proposal = waiting(engine)
    phone = Phone(with_links(engine.folder))
    key = link_key(engine.folder)
    good = Link(proposal.proposal_id, Action.APPROVE, proposal.expires_ms)
    reject = sign(key, replace(good, action=Action.REJECT))
    elsewhere = link_key(tmp_path_factory.mktemp("other"))
    refused = {
        sign(key, good).replace("approve", "reject"): "was changed",
        reject[:-1] + ("A" if reject[-1] != "A" else "B"): "was changed",
        sign(elsewhere, good): "was not made by this perphedge",
        sign(key, replace(good, expires_ms=SystemClock().now_ms() - 1)): "has expired",
        "": "was not made by this perphedge",
    }
    for token, why in refused.items():
        shown = await phone.get(f"{LINK_PATH}?token={token}")
        assert shown.status_code == 403
        assert why in shown.text
        form = {"form_token": await phone.token("/login"), "token": token}
        sent = await phone.post(LINK_PATH, form)
        assert sent.status_code == 409
        assert why in sent.text
    none = sign(key, replace(good, proposal_id="99-abcdef"))
    assert (await phone.get(f"{LINK_PATH}?token={none}")).status_code == 410
    engine.cycle()
    assert engine.sent == []
    assert waiting(engine) == proposal


async def test_a_page_of_another_site_cannot_press_the_button(engine: Approvals) -> None:
    proposal = waiting(engine)
    phone = Phone(with_links(engine.folder))
    url = link(engine.folder, proposal, Action.APPROVE, ORIGIN)
    page = (await phone.open(url)).text
    token = field(page, "token")
    assert (await phone.press(page, origin=EVIL)).status_code == 403
    assert (await phone.press(page, origin=None)).status_code == 403
    assert (await phone.post(LINK_PATH, {"token": token})).status_code == 403
    stranger = Phone(with_links(engine.folder))  # without the cookie of the page's own form
    assert (await stranger.press(page)).status_code == 403
    engine.cycle()
    assert engine.sent == []


async def test_while_halted_a_link_approves_nothing(engine: Approvals) -> None:
    phone = Phone(with_links(engine.folder))
    page = (await phone.open(link(engine.folder, waiting(engine), Action.APPROVE, ORIGIN))).text
    HaltSwitch(engine.folder).trip("news")
    done = await phone.press(page)
    assert done.status_code == 409
    assert "trading is halted" in done.text
    engine.cycle()
    assert engine.sent == []


async def test_without_an_address_for_links_none_is_served(engine: Approvals) -> None:
    proposal = waiting(engine)
    phone = Phone(settings_of(engine.folder))
    url = link(engine.folder, proposal, Action.APPROVE, ORIGIN)
    assert "links are not served here" in (await phone.open(url)).text
    token = url.partition("?token=")[2]
    form = {"form_token": await phone.token("/login"), "token": token}
    assert "links are not served here" in (await phone.post(LINK_PATH, form)).text
    engine.cycle()
    assert engine.sent == []

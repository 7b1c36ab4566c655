"""What every inbox promises."""

from dataclasses import replace

import anyio
import pytest

from actors.messages import CloseRequested
from actors.places import MAIN
from actors.ports import Incoming, ToDesk
from actors.workflows import decide
from tests.contract.conftest import Stores
from tests.fakes.case import MARIA
from tests.fakes.desk import for_ticket, from_client

pytestmark = pytest.mark.anyio


async def test_answers_come_in_the_order_of_the_batch_with_seqs_without_gaps(
    stores: Stores,
) -> None:
    desk = Incoming(key="tg:1:desk", route=ToDesk(), message=None, raw={"update_id": 1})
    batch = [from_client(1, 1), desk, from_client(2, 1), from_client(1, 2), from_client(1, 1)]
    stored = await stores.inbox.put(batch)
    assert [each.key for each in stored] == [each.key for each in batch]
    assert [each.duplicate for each in stored] == [False, False, False, False, True]
    assert [each.envelope and each.envelope.seq for each in stored] == [1, None, 1, 2, None]


async def test_what_is_stored_is_what_the_ticket_reads(stores: Stores) -> None:
    first = await stores.receive(1)
    [second] = await stores.inbox.put([for_ticket(first.ticket_id, "staff:1")])
    assert await stores.unhandled(first.ticket_id) == [first, second.envelope]


async def test_first_messages_at_once_make_one_ticket(stores: Stores) -> None:
    async with anyio.create_task_group() as group:
        for number in range(10):
            group.start_soon(stores.inbox.put, [from_client(1, number)])
    [ticket_id] = await stores.tickets.waiting(10)
    assert [each.seq for each in await stores.unhandled(ticket_id)] == list(range(1, 11))


async def test_putting_again_stores_nothing(stores: Stores) -> None:
    batch = [from_client(1, 1), from_client(1, 2)]
    await stores.inbox.put(batch)
    assert all(each.duplicate for each in await stores.inbox.put(batch))
    assert (await stores.receive(3)).seq == 3


async def test_after_a_closed_ticket_comes_a_new_one_that_knows_it(stores: Stores) -> None:
    former = await stores.receive(1)
    loaded = await stores.claim(former.ticket_id)
    order = replace(former, message=CloseRequested(by=MARIA, place=MAIN))
    await stores.commit(loaded, (former, decide(loaded.state, order)))
    later = await stores.receive(2)
    assert (later.ticket_id != former.ticket_id, later.seq) == (True, 1)
    assert (await stores.claim(later.ticket_id)).state.former_ticket_id == former.ticket_id

"""The client's card: what the directory knows, else what Telegram does."""

from actors.effects import Text
from actors.messages import Person
from actors.ports import ClientCard
from bot.texts import Texts
from bot.titles import cut

CARD_LENGTH_MAX = 4000
"""Below Telegram's 4,096, with room for the last line."""


def card_text(
    client: Person, card: ClientCard | None, former: int, texts: Texts, *, asks: bool = True
) -> str:
    """The card as plain text, in the desk's language; at most one Telegram message.

    ``asks``: who takes the ticket, for nobody has it yet.
    """

    def line(key: str, **args: str | int) -> str:
        return texts.render(Text(key=key, args=args))

    lines = [line("card-title", name=client.name)]
    if client.username:
        lines.append(line("card-username", username=client.username))
    if card is not None:
        lines += [f"{label}: {value}" for label, value in card.fields]
    else:
        lines.append(line("card-id", id=client.id))
        if client.language:
            lines.append(line("card-language", language=client.language))
    if former:
        lines.append(line("card-former", former=former))
    body = cut("\n".join(lines), CARD_LENGTH_MAX, ellipsis=True)
    if not asks:
        return body
    return f"{body}\n\n{line('card-choose')}"

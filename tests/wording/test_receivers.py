"""What people read instead of a receiver's id."""

from __future__ import annotations

from veille.wording.catalogue import catalogue
from veille.wording.receivers import Receiver, receiver_names, source_names, with_id


def test_a_receiver_is_called_by_its_name_else_by_its_kind_and_by_its_id_where_two_are_alike() -> (
    None
):
    found = receiver_names(
        catalogue("fr"),
        [
            Receiver(id="a", kind="slack", name="Slack #astreinte"),
            Receiver(id="b", kind="slack"),
            Receiver(id="c", kind="email"),
            Receiver(id="d", kind="email", name="courriel du maire\u202e"),
            Receiver(id="e", kind="webhook"),
            Receiver(id="f", kind="webhook"),
        ],
    )
    assert (found["a"], found["b"], found["c"]) == ("Slack #astreinte", "Slack", "courriel")
    assert "\u202e" not in found["d"]
    assert (found["e"], found["f"]) == ("webhook (e)", "webhook (f)")


def test_a_source_is_called_by_its_name_else_by_its_id() -> None:
    found = source_names({"presse": "", "bus": " ", "fb": " Page de la ville\u202e"})
    assert found == {"presse": "presse", "bus": "bus", "fb": "Page de la ville⟨U+202E⟩"}


def test_who_works_with_the_configuration_reads_the_name_and_the_id() -> None:
    names = {"presse": "La Presse", "bus": "bus"}
    assert [with_id(id, names) for id in ("presse", "bus", "autre")] == [
        "La Presse (presse)", "bus", "autre",
    ]  # fmt: skip

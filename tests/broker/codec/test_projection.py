"""The projection, construct by construct, against bytes written by hand."""

from typing import Any

import pytest

from broker.codec.catalogue import EventSchema
from broker.codec.views import ViewCodec, compile_view
from broker.domain.errors import AgreementError, ConfigurationError, MalformedMessageError
from broker.domain.reductions import Reduction
from tests.strategies_avro import MOMENT, long_bytes, text_bytes

NULL, ONE, TWO = b"\x00", b"\x02", b"\x04"
"""Union indices 0, 1 and 2; also the numbers 0, 1 and 2."""

OCCURRED_AT = long_bytes(1_795_358_531_123_456) + text_bytes("+00:00")
PUBLIC = text_bytes("e-1") + OCCURRED_AT
ENVELOPE = PUBLIC + text_bytes("not for anybody")


def record(name: str, /, *, leaf: bool = False, **fields: Any) -> dict[str, Any]:
    """A record type."""
    members = [{"name": field, "type": type_} for field, type_ in fields.items()]
    tags = {"x-leaf": True} if leaf else {}
    return {"type": "record", "name": name, "namespace": "t", "fields": members, **tags}


def nullable(type_: Any) -> list[Any]:
    """A type or null."""
    return ["null", type_]


def array(items: Any) -> dict[str, Any]:
    """An array type."""
    return {"type": "array", "items": items}


def compiled(released: Any, **fields: Any) -> ViewCodec:
    """The view of an event with these fields in its body."""
    envelope = {
        **record("Envelope", event_id="string", occurred_at=MOMENT, correlation_id="string"),
        "namespace": "crisis.types",
    }
    event = EventSchema(
        event_type="probe",
        fullname="t.Probe",
        schema=record("Probe", envelope=envelope, **fields),
        leaves={},
        envelope_leaves={},
    )
    if not isinstance(released, dict):
        released = dict.fromkeys(released)
    return compile_view(event, released, recipient="r", purpose="p")


def body(view: ViewCodec, data: bytes) -> bytes:
    """The body of a view; both ways must give the same, and the fast way must know the form."""
    fast = view._projection.try_project(ENVELOPE + data, 0)

    assert fast == view.reference(ENVELOPE + data, 0)
    assert fast is not None
    assert fast[0] == PUBLIC
    return fast[1]


def body_by_twin(view: ViewCodec, data: bytes) -> bytes:
    """The body of a view of bytes that only the slow twin reads."""
    assert view._projection.try_project(ENVELOPE + data, 0) is None
    return view.project(ENVELOPE + data, 0)[1]


def refusal(view: ViewCodec, data: bytes) -> str:
    """What is said against these bytes."""
    assert view._projection.try_project(ENVELOPE + data, 0) is None
    with pytest.raises(MalformedMessageError) as refused:
        view.project(ENVELOPE + data, 0)
    return str(refused.value)


LONG_TEXT = text_bytes("long " * 40)


def test_neighbouring_fields_are_one_slice_and_the_rest_is_cut() -> None:
    """Released fields come out as they stood; a withheld one leaves no trace."""
    view = compiled(
        ["a", "b", "d"], a=nullable("string"), b=nullable("long"), c="string", d=nullable("string")
    )
    a, b, d = ONE + text_bytes("a"), ONE + long_bytes(-123456789), ONE + LONG_TEXT

    assert body(view, a + b + text_bytes("secret") + d) == a + b + d
    assert body(view, NULL + NULL + LONG_TEXT + NULL) == NULL + NULL + NULL


def test_what_is_never_null_becomes_nullable() -> None:
    """Every field of a body has an index, also where the event has none."""
    view = compiled(["a", "c"], a="string", b="int", c="boolean")

    found = body(view, text_bytes("a") + long_bytes(7) + b"\x01")

    assert found == ONE + text_bytes("a") + ONE + b"\x01"


def test_null_comes_first_in_a_view() -> None:
    """A union with null elsewhere is renumbered."""
    view = compiled(["a"], a=["string", "null"])

    assert body(view, NULL + text_bytes("a")) == ONE + text_bytes("a")
    assert body(view, ONE) == NULL


def test_a_union_keeps_its_released_branches_only() -> None:
    """Released branches are numbered anew; one that is not released becomes null."""
    view = compiled(
        ["u.string", "u.B"], u=["int", "string", "null", record("B", leaf=True, x="int")]
    )

    assert body(view, NULL + long_bytes(5)) == NULL
    assert body(view, ONE + text_bytes("s")) == ONE + text_bytes("s")
    assert body(view, TWO) == NULL
    assert body(view, b"\x06" + long_bytes(9)) == TWO + long_bytes(9)


def test_a_container_is_cut_inside() -> None:
    """Of a record only the released fields are there."""
    view = compiled(["r.b"], r=nullable(record("R", a=nullable("string"), b=nullable("int"))))

    assert body(view, ONE + ONE + text_bytes("secret") + ONE + b"\x0a") == ONE + ONE + b"\x0a"
    assert body(view, NULL) == NULL


def test_a_container_that_shows_nothing_is_null() -> None:
    """Whether a container is there must not tell that something withheld is in it."""
    inner = record("Inner", a=nullable("string"), b=nullable("int"))
    view = compiled(
        ["x", "r.i.b", "r.c"],
        x=nullable("int"),
        r=nullable(record("R", i=nullable(inner), c=nullable("int"))),
    )
    x, secret = ONE + b"\x0a", ONE + text_bytes("secret")

    assert body(view, x + ONE + ONE + secret + NULL + NULL) == x + NULL
    assert body(view, x + NULL) == x + NULL
    assert body(view, x + ONE + ONE + secret + NULL + ONE + TWO) == x + ONE + NULL + ONE + TWO


def test_an_array_of_containers_is_cut_item_by_item() -> None:
    """With its length released, each item keeps what is released of it."""
    item = record("Item", a=nullable("string"), b=nullable("int"))
    view = compiled(["l.#", "l.b"], l=nullable(array(item)))
    one, two = ONE + text_bytes("secret") + ONE + b"\x08", NULL + NULL

    assert body(view, ONE + TWO + one + two + NULL) == ONE + TWO + ONE + b"\x08" + NULL + NULL
    assert body(view, ONE + NULL) == ONE + NULL
    assert body(view, NULL) == NULL


def test_only_the_length_can_be_released() -> None:
    """An array of empty items tells how many there are, and nothing else."""
    view = compiled(["l.#"], l=nullable(array(record("Item", a="string"))))

    assert body(view, ONE + TWO + text_bytes("x") + text_bytes("y") + NULL) == ONE + TWO + NULL


def test_without_its_length_an_array_is_not_there() -> None:
    """Showing an item would show that there is one."""
    view = compiled(["l.a", "x"], l=nullable(array(record("Item", a="string"))), x="int")

    assert body(view, ONE + ONE + text_bytes("a") + NULL + b"\x02") == ONE + b"\x02"
    assert [field["name"] for field in view.schema["fields"][2]["type"]["fields"]] == ["x"]


def test_a_map_of_containers_keeps_its_keys_with_its_length() -> None:
    """Keys and length of a map are released together."""
    item = record("Item", a="string", b="int")
    view = compiled(["m.#", "m.b"], m={"type": "map", "values": item})
    data = ONE + text_bytes("key") + text_bytes("secret") + b"\x08" + NULL

    assert body(view, data) == ONE + ONE + text_bytes("key") + ONE + b"\x08" + NULL


def test_blocks_become_one_block() -> None:
    """How a writer spread an array could depend on what is withheld, so it is not passed on."""
    item = record("Item", a="string", b="int")
    view = compiled(["l.#", "l.b", "t"], l=array(item), t=array("int"))
    first, second = text_bytes("secret") + TWO, text_bytes("s") + ONE
    blocks = ONE + first + long_bytes(-1) + long_bytes(len(second)) + second + NULL

    found = body_by_twin(view, blocks + ONE + TWO + ONE + ONE + NULL)

    assert found == ONE + TWO + ONE + TWO + ONE + ONE + NULL + ONE + TWO + TWO + ONE + NULL


def test_present_answers_where_there_is_nothing() -> None:
    """A yes or no is given for a null container too, or its absence would be told apart."""
    person = record("P", name=nullable("string"), age=nullable("int"))
    view = compiled({"p.name": Reduction.PRESENT, "p.age": None}, p=nullable(person))

    assert body(view, NULL) == ONE + ONE + b"\x00" + NULL
    assert body(view, ONE + NULL + NULL) == ONE + ONE + b"\x00" + NULL
    assert body(view, ONE + ONE + text_bytes("") + NULL) == ONE + ONE + b"\x00" + NULL
    assert body(view, ONE + ONE + text_bytes("x") + NULL) == ONE + ONE + b"\x01" + NULL


def test_present_inside_a_branch_does_not_tell_the_branch() -> None:
    """One of several branches with nothing to say is null, as if another had been chosen."""
    one, two = record("A", x=nullable("string")), record("B", y="int")
    view = compiled({"u.A.x": Reduction.PRESENT}, u=["null", one, two])

    assert body(view, NULL) == NULL
    assert body(view, TWO + TWO) == NULL
    assert body(view, ONE + NULL) == NULL
    assert body(view, ONE + ONE + text_bytes("x")) == ONE + ONE + b"\x01"


def test_count_says_how_many_and_nothing_of_them() -> None:
    """A count of an absent list is absent."""
    view = compiled({"l.#": Reduction.COUNT}, l=nullable(array(record("Item", a="string"))))
    many = b"".join(text_bytes(str(number)) for number in range(70))

    assert body(view, NULL) == NULL
    assert body(view, ONE + NULL) == ONE + NULL
    assert body(view, ONE + long_bytes(70) + many + NULL) == ONE + long_bytes(70)


def test_a_recursive_leaf_is_walked_to_its_end() -> None:
    """A tree is copied whole, or passed over whole."""
    tree = record("Tree", leaf=True, text="string", inside=nullable(array("t.Tree")))
    leaf = text_bytes("leaf") + NULL
    data = text_bytes("root") + ONE + TWO + leaf + leaf + NULL
    released = compiled(["tree"], tree=tree, x="int")
    withheld = compiled(["x"], tree=tree, x="int")

    assert body(released, data + TWO) == ONE + data
    assert body(withheld, data + TWO) == ONE + TWO


@pytest.mark.parametrize("micros", [0, -1, 1_795_358_531_123_456, -62_135_596_800_000_000])
def test_a_time_may_end_an_event(micros: int) -> None:
    """A time of few bytes is read, also where no eight bytes are left."""
    view = compiled(["x"], x=TIME)

    assert body(view, long_bytes(micros)) == ONE + long_bytes(micros)


def deep_tree(depth: int) -> bytes:
    """A tree of one branch."""
    return (text_bytes("t") + ONE + ONE) * depth + text_bytes("t") + NULL + NULL * depth


def test_a_tree_may_be_deep_but_not_bottomless() -> None:
    """Nesting ends before Python's own limits are reached."""
    tree = record("Tree", leaf=True, text="string", inside=nullable(array("t.Tree")))
    view = compiled(["tree"], tree=tree)

    assert body(view, deep_tree(62)) == ONE + deep_tree(62)
    assert "nested too deeply" in refusal(view, deep_tree(63))
    assert "nested too deeply" in refusal(view, deep_tree(5000))


@pytest.mark.parametrize("released", [["u"], ["u.Tree"], ["y"]])
@pytest.mark.parametrize("depth", range(58, 66))
def test_both_ways_draw_the_line_at_the_same_depth(released: list[str], depth: int) -> None:
    """What is too deep for the twin is too deep for the fast way, inside a union of several too."""
    tree = record("Tree", leaf=True, text="string", inside=nullable(array("t.Tree")))
    view = compiled(released, y=nullable("int"), u=["null", "int", tree])
    data = ENVELOPE + NULL + TWO + deep_tree(depth)

    fast = view._projection.try_project(data, 0)

    assert (fast is not None) == (depth < 62)
    if fast is None:
        refusal(view, NULL + TWO + deep_tree(depth))


BILLION = long_bytes(1_000_000_000)
ENUM = {"type": "enum", "name": "E", "namespace": "t", "symbols": ["a", "b", "c"]}
TIME = {"type": "long", "logicalType": "timestamp-micros"}


@pytest.mark.parametrize("is_released", [True, False], ids=["released", "withheld"])
@pytest.mark.parametrize(
    ("type_", "data"),
    [
        pytest.param("string", b"\x01", id="negative length"),
        pytest.param("string", b"\x81\x01" + b"a" * 64, id="negative length of two bytes"),
        pytest.param("string", b"\x06ab", id="text ends too early"),
        pytest.param("string", BILLION + b"a" * 70, id="length of a billion"),
        pytest.param("string", b"\xff" * 9 + b"\x01", id="length of 2^63"),
        pytest.param("string", b"\x82\x00a", id="length not in its shortest form"),
        pytest.param("string", b"\x02\xff", id="short text is not UTF-8"),
        pytest.param("string", text_bytes("a" * 70)[:-1] + b"\xc3", id="long text is not UTF-8"),
        pytest.param(nullable("string"), b"\x02\x04\xe2\x82", id="text ends inside a character"),
        pytest.param(nullable("string"), b"\x04", id="union index too high"),
        pytest.param(nullable("string"), b"\x01", id="union index negative"),
        pytest.param(nullable("string"), b"\x80\x00", id="union index not in its shortest form"),
        pytest.param(["null", "int", "string"], b"\x06", id="index of several too high"),
        pytest.param("int", long_bytes(2**31), id="int of 33 bits"),
        pytest.param("int", b"\x80\x00", id="int not in its shortest form"),
        pytest.param("long", b"\x80" * 10 + b"\x01", id="number of eleven bytes"),
        pytest.param("long", b"\xff" * 9 + b"\x02", id="number of 65 bits"),
        pytest.param("long", b"\x80", id="number ends too early"),
        pytest.param("boolean", b"\x02", id="boolean of 2"),
        pytest.param(ENUM, b"\x06", id="ordinal too high"),
        pytest.param(ENUM, b"\x01", id="ordinal negative"),
        pytest.param(nullable(ENUM), b"\x02\x06", id="nullable ordinal too high"),
        pytest.param(nullable(ENUM), b"\x02\x03", id="nullable ordinal negative"),
        pytest.param(TIME, long_bytes(253_402_300_800_000_000), id="the year 10000"),
        pytest.param(TIME, b"\x80" * 7 + b"\x00", id="time not in its shortest form"),
        pytest.param("double", b"\x00" * 7, id="double ends too early"),
        pytest.param(
            {"type": "fixed", "name": "F", "namespace": "t", "size": 4},
            b"abc",
            id="fixed too short",
        ),
        pytest.param(array("int"), b"\x04\x02", id="array ends too early"),
        pytest.param(array("int"), b"\x81\x01" + TWO * 64 + NULL, id="negative count without size"),
        pytest.param(array("int"), BILLION, id="a billion items"),
        pytest.param(array("null"), BILLION + NULL, id="a billion items without width"),
        pytest.param(array("int"), b"\x01\x04\x02\x00", id="block shorter than it says"),
        pytest.param(array("string"), b"\x01\x02\x02a\x00", id="block longer than it says"),
        pytest.param(array("int"), b"\x01\x01\x02\x00", id="block of negative size"),
        pytest.param(array("int"), b"\x02\x02", id="no end of blocks"),
    ],
)
def test_broken_bytes_are_refused_wherever_they_stand(
    type_: Any, data: bytes, *, is_released: bool
) -> None:
    """A withheld field is checked like a released one, by both ways."""
    # What is broken comes last, so that nothing else can be wrong.
    view = compiled(["x"] if is_released else ["y"], y=nullable("int"), x=type_)

    assert refusal(view, NULL + data)


@pytest.mark.parametrize("is_released", [True, False], ids=["released", "withheld"])
@pytest.mark.parametrize("wrong", [0, 1, 2])
def test_every_text_of_an_array_is_checked(wrong: int, *, is_released: bool) -> None:
    """Times between texts, which are no text, hide none of them."""
    item = record("Item", leaf=True, at=TIME, text="string")
    view = compiled(["l"] if is_released else ["y"], y=TIME, l=array(item))
    texts = [b"\x02\xff" if number == wrong else text_bytes("x") for number in range(3)]
    time = long_bytes(1_795_358_531_123_456)

    said = refusal(view, time + b"\x06" + b"".join(time + text for text in texts) + NULL)

    assert said == f"not valid UTF-8 @ $.l[{wrong}].text"


def test_bytes_behind_an_event_are_refused() -> None:
    """An event ends where its bytes end."""
    view = compiled(["x"], x="int")

    assert refusal(view, TWO + NULL)


def test_a_refusal_names_the_place_and_never_the_value() -> None:
    """What is said of broken bytes can stand in a log."""
    view = compiled(["r.x"], r=record("R", x="string", secret="string"))

    said = refusal(view, text_bytes("Jane") + b"\x0cTest\xff\xff")

    assert said == "not valid UTF-8 @ $.r.secret"


def test_equal_keys_of_a_map_are_left_to_the_twin() -> None:
    """Two readers may take either of two values, so that only one of them is passed on."""
    view = compiled(["m"], m={"type": "map", "values": "int"})
    twice = TWO + text_bytes("k") + ONE + text_bytes("k") + TWO + NULL

    assert body_by_twin(view, twice) == ONE + ONE + text_bytes("k") + TWO + NULL


def test_an_event_is_read_from_where_it_starts() -> None:
    """The frame before an event is nobody's business here."""
    view = compiled(["x"], x="int")
    data = b"\x00\x00\x00\x00\x07" + ENVELOPE + TWO

    assert view.project(data, 5) == (PUBLIC, ONE + TWO)
    with pytest.raises(MalformedMessageError):
        view.project(data, len(data) + 1)


@pytest.mark.parametrize("path", ["u.string", "m.#", "m.x", "u.A.x"])
def test_what_has_no_reduced_form_is_never_released_whole_instead(path: str) -> None:
    """A branch of a union and the keys of a map are released as they stand or not at all."""
    item = record("Item", x="string")
    fields = {"u": ["null", "string", record("A", x="int")], "m": {"type": "map", "values": item}}
    released = {"m.#": None, path: Reduction.COUNT}

    with pytest.raises(AgreementError):
        compiled(released, **fields)


def test_a_schema_that_cannot_be_projected_is_refused_when_it_is_compiled() -> None:
    """Nothing is left to be found out at night."""
    deep: Any = "int"
    for _ in range(20):
        deep = array(deep)

    for type_ in (deep, {"type": "string", "logicalType": "uuid"}, [array("int")] * 65):
        with pytest.raises(ConfigurationError):
            compiled(["x"], x=type_)
    with pytest.raises(ConfigurationError):
        compiled([], **{"x\n    raise SystemExit": "int"})

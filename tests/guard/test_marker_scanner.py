"""Where a marker counts in a text, however the text is cut."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import combinations, pairwise

import pytest
from hypothesis import given, strategies as st

from codex_client.guard import scanner as scanner_module
from codex_client.guard.markers import MARKERS, NEAR_LINE_START, Marker
from codex_client.guard.scanner import MarkerScanner

WORD = Marker("recipient functions", "to=functions.", "word", "harmony")
SEPARATOR = Marker("separator run", "+#+#", "line")


def scan(pieces: Iterable[str], markers: tuple[Marker, ...] = MARKERS) -> tuple[str, int] | None:
    """The name and place of the first marker that counts."""
    scanner = MarkerScanner(markers)
    for piece in pieces:
        if (found := scanner.feed(piece)) is not None:
            return found.name, scanner.clear
    found = scanner.finish()
    return (found.name, scanner.clear) if found else None


def cuts(text: str, count: int) -> Iterator[list[str]]:
    """The text in `count` pieces, in every way."""
    for places in combinations(range(1, len(text)), count - 1):
        yield [text[start:end] for start, end in pairwise([0, *places, len(text)])]


@pytest.mark.parametrize("marker", MARKERS, ids=lambda marker: marker.name)
@pytest.mark.parametrize("count", [1, 2, 3])
def test_a_marker_split_at_every_place_over_some_pieces_is_found_where_it_begins(marker: Marker, count: int):
    for before, after in [("", ""), ("Now. ", " json {}")]:
        text = f"{before}{marker.text}{after}"
        found = {scan(pieces) for pieces in cuts(text, count)}
        assert found == {(marker.name, len(before))}


@pytest.mark.parametrize("marker", MARKERS, ids=lambda marker: marker.name)
def test_a_marker_that_comes_letter_by_letter_is_found(marker: Marker):
    assert scan(f"Well,\n{marker.text}") == (marker.name, 6)


@pytest.mark.parametrize("marker", MARKERS, ids=lambda marker: marker.name)
def test_a_marker_that_lacks_its_last_character_is_none(marker: Marker):
    assert scan([marker.text[:-1]]) is None


# Broken turns as they were reported and found in public files.
@pytest.mark.parametrize(
    "text, name",
    [
        ("assistant to=functions.exec_command commentary json\n{}", "role assistant"),
        ("Done.+#+#+#+#+#+assistant to=functions.shell", "separator run"),
        ("The whole of this line is good text +#+#+#+#+#+assistant to=functions.shell", "separator run"),
        ("/* The whole of this line is a box */  +#+#+#+#+#+assistant to=functions.shell", "role assistant"),
        ("Let me write this without an artifact. +#+#+#+#+#+ to=functions.read", "separator run"),
        ("She said “I will look at it now.”+#+#+#+#+#+assistant final to=final code", "separator run"),
        ("I will look at **all of it**+#+#+#+#+#+assistant final to=final code", "separator run"),
        ("これからファイルをすべて読み込んで確認します。+#+#+#+#+#+assistant final to=final", "separator run"),
        ("   +#+#+#+#+#+assistant to=functions.shell", "separator run"),
        ("the container numerusformassistant to=functions.read", "role assistant"),
        ("Text-to-speech♀♀♀♀♀♀analysis to=functions.read", "sign run"),
        ("as numerusformanalysis to=none code", "channel analysis"),
        ("here. to=multi_tool_use.parallel {}", "recipient multi_tool_use"),
        ("will <|channel|>commentary to=functions.x <|constrain|>json<|message|>{}<|call|>", "token channel"),
        ("Assistant to=functions.get_weather:", "recipient functions"),
        ("x>to=functions.get_weather", "recipient functions"),
        ("We need ensure JSON only.to=functions.shell", "recipient functions"),
        ('彩票to=functions.look {"at": "it"}', "recipient functions"),
        ("(to=functions.look {}", "recipient functions"),
        ("{}to=functions.look code", "recipient functions"),
        ("♀to=multi_tool_use.parallel", "recipient multi_tool_use"),
        ('All done.numerusformto=functions.exec_command {"cmd":"ls"}', "glued numerusform"),
        ("stay attached to the task. citeturn0commentaryto=multi_tool_use.parallel0", "glued commentary"),
        ("commentaryto=functions.submit json{}", "glued commentary"),
    ],
)
def test_garbled_texts_are_known_by_their_first_marker(text: str, name: str):
    found = scan([text])
    assert found is not None
    assert found[0] == name


@pytest.mark.parametrize(
    "text",
    [
        "go to https://example.org/?redirect_to=functions.html now",
        "set upload_to=functions.path",
        "https://example.org/to=functions.html?to=functions.a&to=functions.b#to=functions.c",
        "the flag --to=functions.txt, goto=functions.txt, x2to=functions.txt and y==to=functions.txt",
        "go to https://example.org/?redirectto=functions.html or /goto=functions.html",
        "export const updatefoto=functions.https.onCall((data) => data)",
        "exports.toto=functions.database.ref('/toto')",
        "await bot.send_photo(chat_id=1, photo=functions.get_img(), caption='x')",
        "produto=functions.addProduto() and target_denormalizzato=functions.denormalizzaData(x)",
        "the units moto=functions.z and auto=functions.y {}",
        "const analysisTo=x, assistantTo=y, analysisto=z",
        "<numerusform>%n file(s)</numerusform> and commentaries to=x",
        "/*                                                +#+#+#+#+#+   +#+           */",
        "/*   main.c                                       +#+#+#+#+#+   +#+           */",
        "# the name of a file                              +#+#+#+#+#+   +#+           #",
        "src/main.c:7:/*                                   +#+#+#+#+#+   +#+           */",
        'System.out.println("       #+#            #+#     #+#+#+#     #+#+#+#+#+#     ");',
        'levels.push("################t####", "#a++++0++++q#+++#", "###.#####t#+#+#.##");',
        "+# is not +#+",
        "♀♀♀ and ♂♂♂♂",
        "<|begin|> <start> | channel |",
        "the assistant to the analysis to the end = done",
        "ASSISTANT TO= and TO=FUNCTIONS.",
    ],
)
def test_texts_that_look_alike_are_good(text: str):
    assert scan([text]) is None


CODE = [
    "`to=functions.x`",
    "see `a` and `<|start|>` and `b`",
    "``a ` to=functions.x``",
    "```to=functions.x```",
    "``` to=functions.x ``` more",
    "```\n<|start|>\n```",
    "```python\nassistant to=functions.x\n\n♀♀♀♀",
    "~~~\n<|call|>\n~~~",
    "````\n```\n<|end|>\n```\n````",
    "- a list:\n  ```\n  <|end|>\n  ```",
    "1. ```\n   <|end|>",
    "> ```\n> <|end|>\n> ```",
    "```diff\n+```python\n+ <|end|>\n+```\n```",
    "```md\n```python\n<|end|>",
    "```md\n``` x\n<|end|>",
    "```\n~~~\n<|end|>",
    "```\n``\n<|end|>",
    "~~~\n`<|end|>\n~~~",
    f"{'`' * 40}\n{'`' * 39}\n<|end|>",
    "use `foo\nbar <|end|>` to stop",
    "use `foo <|end|>\nbar` to stop",
    "> use `foo\n> bar <|end|>` to stop",
    "one stray ` here\nand `<|end|>` there",
    "one stray ` here\nanother ` there\nand `<|end|>` at last",
    "one stray ` here\nand `code\n<|end|>` there",
    "one stray ` here\n```\n<|end|>",
    "text ``` here\n```\n<|end|>",
    "Use this: ```jinja\n{{ x }}\n\n<|end|>\n```\nthat is all",
    "a) ```\nfoo\n<|end|>\n```",
    "- [ ] ```  \na\nb\n<|end|>\n```",
    "**Output** ````md\r\n```x\n<|end|>\n```\n<|end|>\n````",
    "> Like this: ```c++\n> a\n> <|end|>\n> ```",
    "Like this: ```x\na ```` b `c` ~~~ <|end|>\n~~~\n``` y\n<|end|>\n`````",
    "one stray ` here: ```x\na\n<|end|>\n```",
    "one stray ``` here\nand then: ````x\na\n<|end|>\n````",
    "``` in its line ``` and then: ```x\na\n<|end|>\n```",
    "Like this: ```x\n<|end|>\n``` \t",
    "Like this: ```x\n<|end|>```",
    "Like this: ```x\n<|end|>\n``` y\n````",
    "Like this: ```x\n<|end|> ``` and so: ```x\n<|end|> <|call|>\n```\n",
    "one stray ` of text: ```x\n<|end|>\n```\nand ` there",
]


@pytest.mark.parametrize("text", CODE)
def test_in_code_no_marker_counts_however_it_is_cut(text: str):
    assert {scan(pieces) for count in (1, 2) for pieces in cuts(text, count)} == {None}
    assert scan(text) is None


PROSE = [
    ("`a` <|start|>", 4),
    ("`a` `b` <|start|> `c`", 8),
    ("one stray ` and <|start|>", 16),
    ("one stray ` and <|start|> `` \nmore", 16),
    ("one stray ` \n<|start|> and `` here", 13),
    ("one stray ` \n\n<|start|> and ` here", 14),
    ("one stray ` \nmore\n<|start|> and ` here", 18),
    ("one stray ` <|start|>\n```\ncode\n```\n`", 12),
    ("one stray ` <|start|>\n```code``` and\n` more", 12),
    ("one stray ` <|start|>\n~~~\n`", 12),
    ("one stray ` <|start|>\nmore\n` and so on", 12),
    ("`code\nover` a line's end, and <|start|>\nmore\n", 30),
    ("    <|start|>", 4),
    ("<code><|start|></code>", 6),
    ("` <|start|> ``", 2),
    ("```\ncode\n```\n<|start|>", 13),
    ("```\ncode\n````  \n<|start|>", 16),
    ("> ```\n> code\n> ```\n> <|start|>", 21),
    ("~~~\ncode\n~~~\n<|start|>", 13),
    ("```a``` <|start|>", 8),
    ("text ``` <|start|>\n", 9),
    ("~~gone~~ <|start|>", 9),
    ("``\n<|start|>", 3),
    ("Like this: ```x\ncode\n```\n<|start|>", 25),
    ("Like this: ```x\ncode\n`````  \n<|start|>", 29),
    ("Like this: ```x\ncode``` <|start|>", 24),
    ("Like this: ```x\ncode```\n\n<|start|>", 25),
    ("Like this: ```x\ncode``` <|start|> ```code```", 24),
    ("stray ``` of text\nmore\n<|start|>", 23),
    ("stray ```a`\nmore\n<|start|>", 17),
    ("stray ```a~\nmore\n<|start|>", 17),
    ("stray ``a\nmore\n<|start|>", 15),
    ("stray ~~~a\n<|start|>", 11),
    ("inline ```a b\ncode```\n<|start|>", 22),
    ("inline ```a b``` and\n<|start|>", 21),
    ("one stray ` <|start|> ```x\ncode\n```", 12),
    ("one stray ` <|start|> ```x\n<|end|>\n```", 12),
    ("Done ```\n<|start|> to=functions.x", 9),
    ("Let me look: ```json\n{}\n``` <|start|>", 28),
    ("Like this: ```x\n<|start|>\n``` y\n``\n~~~", 16),
    ("Like this: ```x\ncode````\n<|start|>", 25),
    ("Like this: ```x\n<|end|>\n```\nand then ```\n<|start|>", 41),
    (f"stray ```{'a' * 33}\nmore\n<|start|>", 48),
    (f"stray ```a{' ' * 33}\nmore\n<|start|>", 49),
    (f"{'`' * 40}\n{'`' * 39}\n{'`' * 41}\n<|start|>", 123),
]


@pytest.mark.parametrize("text, place", PROSE)
def test_outside_of_code_a_marker_counts_however_the_text_is_cut(text: str, place: int):
    for count in (1, 2):
        assert {scan(pieces) for pieces in cuts(text, count)} == {("token start", place)}
    assert scan(text) == ("token start", place)


def test_a_marker_of_a_lines_start_counts_near_it_and_no_further():
    near, far = " " * NEAR_LINE_START, " " * (NEAR_LINE_START + 1)
    assert scan([f"one line\n{near}+#+#"]) == ("separator run", 9 + NEAR_LINE_START)
    assert scan([f"one line\n{far}+#+#"]) is None


@pytest.mark.parametrize(
    "end, counts",
    [
        ("a", True),
        ("7 ", True),
        ("ä. ", True),
        ("a.”)", True),
        ("a**, ", True),
        ("a  ", False),
        ("_", False),
        ("a....", False),
        ("a#", False),
        ('("', False),
        ("a\t", False),
    ],
)
@pytest.mark.parametrize("count", [1, 2])
def test_further_on_in_its_line_it_counts_right_behind_prose_however_the_text_is_cut(
    end: str, counts: bool, count: int
):
    before = f"{'-' * NEAR_LINE_START}{end}"
    expected = ("separator run", len(before)) if counts else None
    for markers in (MARKERS, (SEPARATOR,)):
        assert {scan(pieces, markers) for pieces in cuts(f"{before}+#+#", count)} == {expected}


def test_a_marker_that_does_not_count_hides_none_that_begins_inside_it():
    markers = (Marker("far", "ab", "word"), Marker("near", "b!"))
    assert scan(["xab!"], markers) == ("near", 2)


def test_a_marker_may_begin_with_a_sign_of_code():
    markers = (Marker("odd", "\n\n!", "word"), Marker("tick", "`!"))
    assert scan(["a `b` c\n\n?"], markers) is None
    assert scan(["a\n\n!"], (Marker("odd", "\n\n!"),)) == ("odd", 1)
    assert scan(["a `!"], markers) == ("tick", 2)


def test_without_markers_everything_is_clear():
    scanner = MarkerScanner(())
    assert scanner.window == 0
    assert scanner.feed("<|start|>") is None
    assert scanner.clear == 9


def test_what_may_still_grow_into_a_marker_is_not_clear():
    scanner = MarkerScanner(MARKERS)
    assert scanner.window == len("to=multi_tool_use.") - 1
    assert scanner.feed("x" * 100) is None
    assert scanner.clear == 100 - scanner.window
    assert scanner.finish() is None
    assert scanner.clear == 100


def test_a_marker_in_code_that_is_not_closed_yet_is_not_clear():
    scanner = MarkerScanner(MARKERS)
    assert scanner.feed("in `<|start|> and much more text behind it") is None
    assert scanner.clear == 4
    assert scanner.feed("`, and so on, and so on") is None
    assert scanner.clear > 40


def test_a_marker_in_a_fence_behind_text_that_is_not_closed_yet_is_not_clear():
    scanner = MarkerScanner(MARKERS)
    assert scanner.feed("Like this: ```x\n" + "code\n" * 10) is None
    assert scanner.clear == 66 - scanner.window
    assert scanner.feed("<|start|>\n" + "code\n" * 10) is None
    assert scanner.clear == scanner.pause() == 66
    assert scanner.feed("```\n" + "and so on " * 3) is None
    assert scanner.clear == 160 - scanner.window


def test_a_text_may_go_on_after_it_seemed_over():
    scanner = MarkerScanner(MARKERS)
    assert scanner.feed("one ") is None
    assert scanner.finish() is None
    assert scanner.feed("to=functions.x") == WORD


pieces_of_text = st.sampled_from(
    [
        *["a", " ", "\n", "`", "``", "```", "~~~", "> ", "- ", "<|start|>", "<|", "to=functions.", "+#+#", "♀♀"],
        *["assistant", "commentary", ": ```x\n", "a. ", "-" * NEAR_LINE_START],
    ]
)


@given(st.lists(pieces_of_text, max_size=30), st.lists(st.integers(1, 8), max_size=60))
def test_any_cut_of_any_text_finds_the_same(parts: list[str], sizes: list[int]):
    text = "".join(parts)
    pieces: list[str] = []
    rest = text
    for size in sizes:
        pieces.append(rest[:size])
        rest = rest[size:]
    assert scan([*pieces, rest]) == scan([text])


@given(st.lists(pieces_of_text, max_size=30))
def test_where_a_text_pauses_all_goes_on_but_what_waits_for_the_end_of_inline_code(parts: list[str]):
    paused, straight = MarkerScanner(MARKERS), MarkerScanner(MARKERS)
    length = 0
    for part in parts:
        length += len(part)
        found = paused.feed(part)
        assert found == straight.feed(part)
        if found is not None:
            return
        free = paused.pause()
        assert paused.clear <= free <= length
        before, after = "".join(parts)[:free], "".join(parts)[free:length]
        assert free == length or ("`" in before and any(after.startswith(marker.text) for marker in MARKERS))
    assert paused.finish() == straight.finish()


class CountingPattern:
    """A pattern that counts the characters it is given to look at."""

    def __init__(self, pattern: re.Pattern[str]) -> None:
        self.pattern = pattern.pattern
        self.characters = 0
        self._found = pattern

    def search(self, text: str, at: int = 0) -> re.Match[str] | None:
        self.characters += len(text) - at
        return self._found.search(text, at)


@pytest.mark.parametrize(
    "unit",
    [
        *["`", "~", "\n", "` ", "`a` ", "word ", "<|end|", "<", "```\n<|end|>\n```\n", "`<|end|>` ", "xto=functions."],
        *["x ```", "x ```a ", "x ```\n", "x ````\n```\n", "x ```a\n<|end|>\n```\n", "\n-----------------+#+#"],
    ],
)
def test_the_work_for_a_text_grows_with_its_length_and_no_faster(unit: str, monkeypatch: pytest.MonkeyPatch):
    counting = [CountingPattern(pattern) for pattern in scanner_module._patterns(MARKERS)]
    monkeypatch.setattr(scanner_module, "_patterns", lambda _: counting)
    scanner = MarkerScanner(MARKERS)
    text = unit * 300
    for character in text:
        assert scanner.feed(character) is None
        assert scanner.pause() >= 0
    assert 0 < sum(pattern.characters for pattern in counting) <= 20 * scanner.window * len(text)


@pytest.mark.parametrize("sign", "`~\n. ")
def test_never_more_than_a_marker_needs_is_held_of_a_long_run(sign: str):
    scanner = MarkerScanner(MARKERS)
    for length in range(1, 2000):
        assert scanner.feed(sign) is None
        assert scanner.clear >= length - scanner.window


@given(st.lists(pieces_of_text, max_size=30))
def test_what_was_clear_once_is_before_any_marker_that_is_found(parts: list[str]):
    scanner = MarkerScanner(MARKERS)
    clear = 0
    for part in parts:
        found = scanner.feed(part)
        assert scanner.clear >= clear
        clear = scanner.clear
        if found is not None:
            return
    scanner.finish()
    assert scanner.clear >= clear

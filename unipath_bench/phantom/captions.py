"""Captions: a tile's attributes in the words of a report, in several registers.

A caption names every attribute, absent findings included, so that it says all that a generator is asked for. It is a
pure function of (attributes, seed, register, wording).
"""

from __future__ import annotations

from typing import Literal, get_args

from unipath_bench.core.errors import UsageError
from unipath_bench.phantom.attributes import CLASSES, Attributes
from unipath_bench.phantom.phrases import PHRASES, Wording
from unipath_bench.phantom.streams import Stream

CAPTIONS = "1"
"""Version of the captions: raised whenever the text of any tile changes."""

MOST_PARAPHRASES = 64

Register = Literal["report", "narrative", "synoptic", "telegraphic"]

_TEMPLATES: dict[Register, dict[Wording, tuple[str, ...]]] = {
    "report": {
        "seen": (
            "Sections show {cytology_type} with {architecture} and {cellularity}. Nuclei: {pleomorphism}, "
            "{mitotic_activity}. Background: {stroma} with {lymphocytic_infiltrate}. Other findings: {necrosis}, "
            "{hemorrhage}, {deposit}.",
            "The tumour consists of {cytology_type} with {architecture} in {stroma}. Cell density: {cellularity}. "
            "Grade: {pleomorphism} and {mitotic_activity}. Also noted: {lymphocytic_infiltrate}, {necrosis}, "
            "{hemorrhage} and {deposit}.",
            "Histology with {cellularity}: {cytology_type}, {architecture}, {pleomorphism} and {mitotic_activity}. The "
            "surrounding tissue has {stroma} and {lymphocytic_infiltrate}; {necrosis}; {hemorrhage}; {deposit}.",
        ),
        "heldout": (
            "Microscopy: {stroma} bearing {cytology_type}, {architecture}, {cellularity}. On high power, "
            "{pleomorphism} and {mitotic_activity}. Remarks: {hemorrhage}, {necrosis}, {deposit}, "
            "{lymphocytic_infiltrate}.",
            "On examination: {architecture}; {cytology_type}; {pleomorphism}; {cellularity}; {mitotic_activity}. "
            "Elsewhere {lymphocytic_infiltrate}, {deposit}, {hemorrhage}, {necrosis}, all within {stroma}.",
        ),
    },
    "narrative": {
        "seen": (
            "An H&E tile in which {cytology_type} make up {architecture} amid {stroma}, with {cellularity}, "
            "{pleomorphism}, {mitotic_activity}, {necrosis}, {hemorrhage}, {lymphocytic_infiltrate} and {deposit}.",
            "This field shows {architecture} of {cytology_type}, {cellularity} and {pleomorphism}; one sees "
            "{mitotic_activity}, {lymphocytic_infiltrate}, {hemorrhage}, {necrosis}, {deposit} and {stroma}.",
        ),
        "heldout": (
            "What we see here is {necrosis}, {hemorrhage} and {deposit}; beyond that {architecture} with "
            "{cytology_type}, {pleomorphism} and {mitotic_activity}. Around them lie {stroma}, "
            "{lymphocytic_infiltrate}; overall {cellularity}.",
            "Picture {cellularity} with {cytology_type}, set in {stroma} as {architecture}, then {pleomorphism}, "
            "{lymphocytic_infiltrate}, {mitotic_activity}, {deposit}, {necrosis}, {hemorrhage}.",
        ),
    },
    "synoptic": {
        "seen": (
            "Cell type: {cytology_type}. Growth: {architecture}. Cellularity: {cellularity}. Nuclei: {pleomorphism}. "
            "Mitoses: {mitotic_activity}. Necrosis: {necrosis}. Hemorrhage: {hemorrhage}. Lymphocytes: "
            "{lymphocytic_infiltrate}. Stroma: {stroma}. Deposits: {deposit}.",
        ),
        "heldout": (
            "(1) {architecture} (2) {cytology_type} (3) {pleomorphism} (4) {mitotic_activity} (5) {cellularity} (6) "
            "{stroma} (7) {lymphocytic_infiltrate} (8) {hemorrhage} (9) {necrosis} (10) {deposit}",
        ),
    },
    "telegraphic": {
        "seen": (
            "{cytology_type}, {architecture}, {cellularity}, {pleomorphism}, {mitotic_activity}, {necrosis}, "
            "{hemorrhage}, {lymphocytic_infiltrate}, {stroma}, {deposit}",
            "{architecture}, {cytology_type}, {pleomorphism}, {cellularity}, {stroma}, {lymphocytic_infiltrate}, "
            "{mitotic_activity}, {hemorrhage}, {necrosis}, {deposit}",
        ),
        "heldout": (
            "{stroma} / {cytology_type} / {architecture} / {deposit} / {necrosis} / {hemorrhage} / {pleomorphism} / "
            "{mitotic_activity} / {lymphocytic_infiltrate} / {cellularity}",
        ),
    },
}

REGISTERS: tuple[Register, ...] = get_args(Register)


def describe(attributes: Attributes, seed: int, register: Register = "report", wording: Wording = "seen") -> str:
    """A caption that names every attribute.

    Args:
        attributes: what is in the tile.
        seed: chooses among the templates and phrases of the register.
        register: ``report`` and ``narrative`` are prose, ``synoptic`` a list of fields, ``telegraphic`` keywords.
        wording: whether templates and phrases are the seen or the held-out ones.
    """
    stream = Stream(seed, "caption", register, wording)
    templates = _TEMPLATES[register][wording]
    template = templates[stream.integer(len(templates))]
    words = {}
    for name, value in attributes.labels().items():
        options = PHRASES[name][value].of(wording)
        phrase = options[stream.integer(len(options))]
        words[name] = (
            phrase.removeprefix("a ").removeprefix("an ") if register in ("synoptic", "telegraphic") else phrase
        )
    text = template.format(**words)
    return text[0].upper() + text[1:]


def paraphrases(attributes: Attributes, seed: int, n: int, wording: Wording = "heldout") -> tuple[str, ...]:
    """``n`` different captions of the same attributes, going round the registers.

    Raises:
        UsageError: ``n`` is negative or more than 64.
    """
    if not 0 <= n <= MOST_PARAPHRASES:
        raise UsageError(f"{n} paraphrases are out of range.", f"Ask for 0 to {MOST_PARAPHRASES}.")
    found: dict[str, None] = {}
    attempt = 0
    while len(found) < n:
        register = REGISTERS[attempt % len(REGISTERS)]
        found[describe(attributes, Stream(seed, "paraphrase", attempt).integer(2**31), register, wording)] = None
        attempt += 1
    return tuple(found)


def terse_prompt(attributes: Attributes) -> str:
    """Return a short prompt of field terms.

    It names grade, architecture, cell type, cellularity and stroma, then the findings that are there. What it does not
    mention is absent.
    """
    words = {name: PHRASES[name][value].terse for name, value in attributes.labels().items()}
    head = f"{words['pleomorphism']} {words['architecture']} {words['cytology_type']} tumour"
    findings = [
        words[name]
        for name in CLASSES
        if words[name] and name not in ("pleomorphism", "architecture", "cytology_type", "cellularity")
    ]
    return ", ".join([head, words["cellularity"], *findings])


def attribute_bundle(attributes: Attributes) -> str:
    """Every attribute and its class as ``name: class``, joined by semicolons, in the order of the table."""
    return "; ".join(
        f"{name.replace('_', ' ')}: {value.replace('_', ' ')}" for name, value in attributes.labels().items()
    )

"""The understanding track: multiple-choice questions about images, for models with a language model inside.

It stands beside the four tiers (PROTOCOL: optional, for generators built on a multimodal language model): a set of
questions, an answerer, strict reading of its answers, accuracy with an interval by subset.
"""

from unipath_bench.understanding.contracts import Answerer, AskedQuestion, Question, QuestionSet
from unipath_bench.understanding.record import AnswererCard, QuestionSetCard, SubsetScore, UnderstandingRecord

__all__ = [
    "Answerer",
    "AnswererCard",
    "AskedQuestion",
    "Question",
    "QuestionSet",
    "QuestionSetCard",
    "SubsetScore",
    "UnderstandingRecord",
]

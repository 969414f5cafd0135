"""Trained members with all that prediction needs; verified on load."""

from __future__ import annotations

from lamina.bundle.bundle import Bundle, MemberWeights, Training, versions
from lamina.bundle.index import KnownCase, MemberFile, Source
from lamina.bundle.seen_cases import SeenCases, indirect_cases, leak_lines, member_of_file
from lamina.bundle.several import Part, join, kind_learnt, load_bundles, must_agree
from lamina.bundle.unfinished import bundle_so_far, unfinished_lines, write_prepared

__all__ = [
    "Bundle",
    "KnownCase",
    "MemberFile",
    "MemberWeights",
    "Part",
    "SeenCases",
    "Source",
    "Training",
    "bundle_so_far",
    "indirect_cases",
    "join",
    "kind_learnt",
    "leak_lines",
    "load_bundles",
    "member_of_file",
    "must_agree",
    "unfinished_lines",
    "versions",
    "write_prepared",
]

"""Contenders: one file for each program that is raced.

    versions() -> {package: version}
    prepare(task, question) -> run: what is made ready is not timed; run() -> {what was found: number}, to be compared

Photons are "photons", pairs of detectors over the whole tau range "pairs", entries of decays "decays".
"""

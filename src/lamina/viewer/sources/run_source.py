"""The held-out cases of a run, finished or not."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path

from lamina.data.case import Case
from lamina.errors import DataError
from lamina.folders import BUNDLE, DATA_INDEX, OUT_OF_FOLD, RUN_RECIPE, fold_folders, fold_number
from lamina.prediction.folder.manifest import HEADER, check_place
from lamina.prediction.folder.predictions import LEDGER, Predictions
from lamina.reporting.run_contents import Run
from lamina.viewer.sources.contents import Contents, FoundCase, Source

_DATA = "data.json"


class RunSource(Source):
    """A run folder; what is known of its data files is kept in ``scratch``, outside of it."""

    is_run = True

    def __init__(self, folder: Path, data: Path | None, scratch: Path) -> None:
        """Name the folder, where its data lie now (None: where they lay), and a scratch folder."""
        super().__init__(folder)
        self._data, self._index = data, scratch / DATA_INDEX
        self._cases: tuple[object, Mapping[str, Case]] | None = None

    def watched(self) -> Iterator[Path]:
        yield from (self.folder / name for name in (RUN_RECIPE, _DATA))
        yield from (self.folder / BUNDLE).glob("*.json")
        for fold in fold_folders(self.folder):
            yield from (fold / OUT_OF_FOLD / name for name in (HEADER, LEDGER))

    def read(self) -> Contents:
        run = Run.open(self.folder)
        cases, problems = self._opened(run), []
        found, asked = [], 0
        for folder in fold_folders(self.folder):
            if not (folder / OUT_OF_FOLD / HEADER).is_file():
                continue
            predictions = Predictions.open(folder / OUT_OF_FOLD)
            predictions = predictions.with_decision(run.decision).with_calibration(run.calibration)
            asked += len(predictions.info.cases)
            for id in predictions.ids:
                if id not in cases:
                    problems.append(f"{id}: is not in the data folder")
                    continue
                try:
                    check_place(predictions.case(id), cases[id].image)
                except DataError as error:
                    problems.append(str(error))
                    continue
                found.append(FoundCase(cases[id], predictions, fold_number(folder.name) or 0))
        return Contents(
            self.folder,
            run.recipe,
            run.decision,
            tuple(found),
            asked,
            run.outlook,
            tuple(problems),
        )

    def _opened(self, run: Run) -> Mapping[str, Case]:
        """Return the cases by id; the data folder is listed again only if the run's list is new."""
        path = self.folder / _DATA
        stamp = path.stat().st_mtime_ns if path.is_file() else None
        if self._cases is None or self._cases[0] != stamp:
            if not self._index.is_file() and (self.folder / DATA_INDEX).is_file():
                shutil.copyfile(self.folder / DATA_INDEX, self._index)
            self._cases = stamp, run.cases(self._data, self._index)
        return self._cases[1]

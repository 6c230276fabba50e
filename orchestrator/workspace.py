"""Where everything of a study lies: one folder tree, named in one place."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from pathlib import Path

from infra.store import RunStore, create_if_absent
from search_spaces.study import StudySpec


@dataclass(frozen=True)
class Workspace:
    """The folder that holds ingested centers, the run stores of all studies and the MLflow database."""

    root: Path
    study: StudySpec

    @property
    def run_store(self) -> RunStore:
        """The study's own jobs."""
        return RunStore(self.root / self.study.name)

    @property
    def lease(self) -> Path:
        """Who runs the study now."""
        return self.run_store.root / "lease"

    @property
    def lock(self) -> Path:
        """What was planned before an external center was opened."""
        return self.run_store.root / "lock.json"

    @property
    def opened(self) -> Path:
        """When the external centers were opened."""
        return self.run_store.root / "opened.json"

    @property
    def folds(self) -> Path:
        """patient, fold of the development centers."""
        return self.run_store.root / "folds.parquet"

    @property
    def findings(self) -> Path:
        """What the leakage check found."""
        return self.run_store.root / "leakage.parquet"

    @property
    def report(self) -> Path:
        """Folder of report.html and its tables."""
        return self.run_store.root / "report"

    @property
    def shared_report(self) -> Path:
        """The report as it goes to MLflow, where it differs."""
        return self.run_store.root / "report-shared"

    @property
    def mlflow_uri(self) -> str:
        """The embedded MLflow database, shared by all studies of the workspace."""
        return f"sqlite:///{(self.root / 'mlflow.db').resolve()}"

    def center(self, name: str) -> Path:
        """Folder of an ingested center."""
        cohort = self.study.cohort
        return self._ingested(
            name, f"{(Path(cohort.data) / name).resolve()}|{self.study.preprocessing.size}|{cohort.patient_ids}"
        )

    def corpus(self, name: str) -> Path:
        """Folder of an ingested pretraining corpus."""
        corpus = self.study.corpora[name]
        size = min(self.study.preprocessing.size, 2 * corpus.pretrain.image_size)
        return self._ingested(
            name, f"{Path(corpus.data).resolve()}|{size}|{corpus.layout}|{corpus.limit}|{corpus.seed}"
        )

    def salt(self) -> bytes:
        """Key of the patient hashes, one for the workspace; made once, readable by its owner only, never logged."""
        path = self.root / "salt"
        if not path.exists() and create_if_absent(path, secrets.token_bytes(32)):
            path.chmod(0o600)
        return path.read_bytes()

    def _ingested(self, name: str, identity: str) -> Path:
        return self.root / "cohorts" / f"{name}-{hashlib.sha256(identity.encode()).hexdigest()[:8]}"
